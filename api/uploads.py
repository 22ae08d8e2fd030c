"""multipart/form-data, read as it arrives: fields in memory, files on disk."""

import asyncio
import hashlib
import re
import tempfile
import time
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import BinaryIO

from msgspec import Struct
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from api.errors import BadRequest, BodyTimeout, BodyTooLarge, UnsupportedMediaType
from api.requests import ApiRequest, content_length, header, next_message
from domain.errors import Invalid

MAX_FIELDS = 100
MAX_FIELD_BYTES = 512 * 1024
MAX_FILENAME_CHARACTERS = 255
SPOOLED_BYTES = 1 << 20
# A slow line may take its time for a large file, a stalled one may not: beyond this many times what a pause may last,
# so much has to come in a second.
_PATIENCE_FACTOR = 20
_SLOWEST_BYTES_PER_SECOND = 128 * 1024
_OVERHEAD_BYTES = 1 << 20
_SEPARATORS = re.compile(r"[/\\]")

NO_FILE = "No file was submitted."
NOT_A_FILE = "The submitted data was not a file. Check the encoding type on the form."
EMPTY_FILE = "The submitted file is empty."
NO_NAME = "No filename could be determined."


class Upload(Struct):
    """A file that was sent. `filename` is the sender's word for it, fit for showing and for nothing else."""

    filename: str
    file: BinaryIO
    size_bytes: int
    sha256: str


class Form(Struct):
    """`fields` in the order sent, the last of a name counts; `files` by name; `errors` of fields that are no text."""

    fields: dict[str, str]
    files: dict[str, Upload]
    errors: dict[str, list[str]]

    def required_file(self, name: str) -> Upload:
        """Raises Invalid where it is missing, empty, or sent as text."""
        upload = self.files.get(name)
        if upload is None:
            raise Invalid({name: [NOT_A_FILE if self.fields.get(name) else NO_FILE]})
        if problem := problem_of(upload.filename, upload.size_bytes):
            raise Invalid({name: [problem]})
        return upload


def problem_of(filename: str, size_bytes: int) -> str | None:
    """Return what is wrong with a file whatever it is for, None where nothing is."""
    if not size_bytes:
        return EMPTY_FILE
    return None if filename else NO_NAME


@asynccontextmanager
async def uploaded(request: ApiRequest, limit_bytes: int | None = None) -> AsyncIterator[Form]:
    """Give the request's form; its files are gone afterwards. None is larger than the limit, or than the settings'.

    Raises what `read_form` raises.
    """
    reading = _Spooled(boundary(request), limit_bytes or request.app.state.services.settings.upload_limit_bytes)
    try:
        await read_form(request, reading)
        yield reading.form()
    finally:
        reading.close()


async def read_form(request: ApiRequest, reading: "FormReading") -> None:
    """Read the request's form as it arrives.

    Raises BadRequest for what is no form, BodyTooLarge as soon as that is known, BodyTimeout, UnsupportedMediaType.
    """
    seconds = request.app.state.services.settings.body_timeout_seconds
    try:
        async for chunk in _body(request, reading.limit_bytes + _OVERHEAD_BYTES, seconds):
            reading.take(chunk)
            await reading.drain()
        reading.finish()
    except MultipartError as error:
        # Its first argument is a sentence; what caused it may follow.
        raise BadRequest(f"Multipart form parse error - {error.args[0]}") from None


def boundary(request: ApiRequest) -> str:
    """Return what parts the form. Raises UnsupportedMediaType, BadRequest."""
    media_type, options = parse_options_header(header(request.scope, b"content-type") or "")
    if media_type.lower() != "multipart/form-data":
        raise UnsupportedMediaType(f'Unsupported media type "{media_type[:100]}" in request.')
    found: str = options.get("boundary", "")
    if not found or len(found) > 200:
        raise BadRequest("Multipart form parse error - no boundary.")
    return found


async def _body(request: ApiRequest, limit_bytes: int, timeout_seconds: float) -> AsyncIterator[bytes]:
    if (content_length(request.scope) or 0) > limit_bytes:
        raise BodyTooLarge(headers={"Connection": "close"})
    size = 0
    waited = 0.0
    more = True
    while more:
        started = time.monotonic()
        try:
            async with asyncio.timeout(timeout_seconds):
                message = await next_message(request.scope, request.receive)
        except TimeoutError:
            raise BodyTimeout(headers={"Connection": "close"}) from None
        waited += time.monotonic() - started
        if message["type"] != "http.request":
            raise BadRequest("The request body ended early.")
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > limit_bytes:
            raise BodyTooLarge(headers={"Connection": "close"})
        if waited > timeout_seconds * _PATIENCE_FACTOR + size / _SLOWEST_BYTES_PER_SECOND:
            raise BodyTimeout(headers={"Connection": "close"})
        if chunk:
            yield chunk


class FormReading:
    """A form as far as it has arrived. What becomes of its files is for those that inherit it to say."""

    def __init__(self, boundary: str, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.fields: dict[str, str] = {}
        self.errors: dict[str, list[str]] = {}
        self._parser = PushMultipartParser(boundary, max_segment_count=MAX_FIELDS)
        self._name = ""
        self._text: bytearray | None = None
        self._is_file = False

    def begin_file(self, name: str, filename: str, content_type: str) -> None:
        """Take the head of a file; its content type is the sender's word, empty where it gives none."""
        raise NotImplementedError

    def write_file(self, data: bytes | bytearray) -> None:
        raise NotImplementedError

    def end_file(self) -> None:
        raise NotImplementedError

    async def drain(self) -> None:
        """Bring what was taken to where it goes: no more is read meanwhile."""

    def take(self, chunk: bytes) -> None:
        for event in self._parser.parse(chunk):
            if isinstance(event, MultipartSegment):
                self._begin(event)
            elif event:
                self._go_on(event)
            else:
                self._end()

    def finish(self) -> None:
        self._parser.close()

    def _begin(self, segment: MultipartSegment) -> None:
        if not segment.name:
            raise BadRequest("Multipart form parse error - a part has no name.")
        self._name = segment.name
        if segment.filename is None:
            self._text = bytearray()
            return
        self._is_file = True
        self.begin_file(segment.name, clean_filename(segment.filename), segment.content_type or "")

    def _go_on(self, data: bytes | bytearray) -> None:
        if self._is_file:
            self.write_file(data)
        elif self._text is not None:
            self._text += data
            if len(self._text) > MAX_FIELD_BYTES:
                raise BodyTooLarge(headers={"Connection": "close"})

    def _end(self) -> None:
        if self._is_file:
            self.end_file()
        elif self._text is not None:
            try:
                self.fields[self._name] = self._text.decode()
            except UnicodeDecodeError:
                self.errors[self._name] = ["Not valid UTF-8."]
        self._text, self._is_file = None, False


class _Spooled(FormReading):
    """Keeps files on disk."""

    def __init__(self, boundary: str, limit_bytes: int) -> None:
        super().__init__(boundary, limit_bytes)
        self._files: dict[str, Upload] = {}
        self._opened: list[BinaryIO] = []
        self._upload: Upload | None = None
        self._digest = hashlib.sha256()

    def form(self) -> Form:
        return Form(self.fields, self._files, self.errors)

    def close(self) -> None:
        for file in self._opened:
            file.close()

    def begin_file(self, name: str, filename: str, content_type: str) -> None:  # noqa: ARG002 - none is kept
        file = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - closed with the form
        self._opened.append(file)  # type: ignore[arg-type] # a file in all but name
        self._digest = hashlib.sha256()
        self._upload = Upload(filename, self._opened[-1], 0, "")

    def write_file(self, data: bytes | bytearray) -> None:
        assert self._upload is not None, "it was begun"
        self._upload.size_bytes += len(data)
        if self._upload.size_bytes > self.limit_bytes:
            raise BodyTooLarge(headers={"Connection": "close"})
        self._digest.update(data)
        self._upload.file.write(data)

    def end_file(self) -> None:
        assert self._upload is not None, "it was begun"
        self._upload.sha256 = self._digest.hexdigest()
        self._upload.file.seek(0)
        # A form sends the field of a file that nobody chose without a name and without content.
        if self._upload.filename or self._upload.size_bytes:
            self._files[self._name] = self._upload


def clean_filename(name: str) -> str:
    """Return the last part of a path, without what cannot be seen or what turns the reading direction."""
    last = _SEPARATORS.split(unicodedata.normalize("NFC", name))[-1]
    seen = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    return seen.strip()[:MAX_FILENAME_CHARACTERS]
