"""multipart/form-data, read as it arrives: fields in memory, files on disk."""

import asyncio
import hashlib
import re
import tempfile
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
MAX_FIELD_BYTES = 256 * 1024
MAX_FILENAME_CHARACTERS = 255
SPOOLED_BYTES = 1 << 20
# A slow line may take its time for a large file, a stalled one may not.
_TOTAL_TIMEOUT_FACTOR = 20
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
        if not upload.size_bytes:
            raise Invalid({name: [EMPTY_FILE]})
        if not upload.filename:
            raise Invalid({name: [NO_NAME]})
        return upload


@asynccontextmanager
async def uploaded(request: ApiRequest, limit_bytes: int | None = None) -> AsyncIterator[Form]:
    """Give the request's form; its files are gone afterwards. None is larger than the limit, or than the settings'.

    Raises BadRequest for what is no form, BodyTooLarge as soon as that is known, BodyTimeout, UnsupportedMediaType.
    """
    settings = request.app.state.services.settings
    limit_bytes = limit_bytes or settings.upload_limit_bytes
    reading = _Reading(_boundary(request))
    try:
        seconds = settings.body_timeout_seconds
        try:
            async with asyncio.timeout(seconds * _TOTAL_TIMEOUT_FACTOR):
                async for chunk in _body(request, limit_bytes + _OVERHEAD_BYTES, seconds):
                    reading.take(chunk, limit_bytes)
                form = reading.finish()
        except TimeoutError:
            raise BodyTimeout(headers={"Connection": "close"}) from None
        except MultipartError as error:
            # Its first argument is a sentence; what caused it may follow.
            raise BadRequest(f"Multipart form parse error - {error.args[0]}") from None
        yield form
    finally:
        reading.close()


def _boundary(request: ApiRequest) -> str:
    media_type, options = parse_options_header(header(request.scope, b"content-type") or "")
    if media_type.lower() != "multipart/form-data":
        raise UnsupportedMediaType(f'Unsupported media type "{media_type[:100]}" in request.')
    boundary: str = options.get("boundary", "")
    if not boundary or len(boundary) > 200:
        raise BadRequest("Multipart form parse error - no boundary.")
    return boundary


async def _body(request: ApiRequest, limit_bytes: int, timeout_seconds: float) -> AsyncIterator[bytes]:
    if (content_length(request.scope) or 0) > limit_bytes:
        raise BodyTooLarge(headers={"Connection": "close"})
    size = 0
    more = True
    while more:
        async with asyncio.timeout(timeout_seconds):
            message = await next_message(request.scope, request.receive)
        if message["type"] != "http.request":
            raise BadRequest("The request body ended early.")
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > limit_bytes:
            raise BodyTooLarge(headers={"Connection": "close"})
        if chunk:
            yield chunk


class _Reading:
    """A form as far as it has arrived."""

    def __init__(self, boundary: str) -> None:
        self._parser = PushMultipartParser(boundary, max_segment_count=MAX_FIELDS)
        self._form = Form({}, {}, {})
        self._opened: list[BinaryIO] = []
        self._name = ""
        self._text: bytearray | None = None
        self._upload: Upload | None = None
        self._digest = hashlib.sha256()

    def take(self, chunk: bytes, limit_bytes: int) -> None:
        for event in self._parser.parse(chunk):
            if isinstance(event, MultipartSegment):
                self._begin(event)
            elif event:
                self._go_on(event, limit_bytes)
            else:
                self._end()

    def finish(self) -> Form:
        self._parser.close()
        return self._form

    def close(self) -> None:
        for file in self._opened:
            file.close()

    def _begin(self, segment: MultipartSegment) -> None:
        if not segment.name:
            raise BadRequest("Multipart form parse error - a part has no name.")
        self._name = segment.name
        if segment.filename is None:
            self._text = bytearray()
            return
        file = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - closed with the form
        self._opened.append(file)  # type: ignore[arg-type] # a file in all but name
        self._digest = hashlib.sha256()
        self._upload = Upload(clean_filename(segment.filename), self._opened[-1], 0, "")

    def _go_on(self, data: bytes | bytearray, limit_bytes: int) -> None:
        if self._upload is not None:
            self._upload.size_bytes += len(data)
            if self._upload.size_bytes > limit_bytes:
                raise BodyTooLarge(headers={"Connection": "close"})
            self._digest.update(data)
            self._upload.file.write(data)
        elif self._text is not None:
            self._text += data
            if len(self._text) > MAX_FIELD_BYTES:
                raise BodyTooLarge(headers={"Connection": "close"})

    def _end(self) -> None:
        if self._upload is not None:
            self._upload.sha256 = self._digest.hexdigest()
            self._upload.file.seek(0)
            # A form sends the field of a file that nobody chose without a name and without content.
            if self._upload.filename or self._upload.size_bytes:
                self._form.files[self._name] = self._upload
        elif self._text is not None:
            try:
                self._form.fields[self._name] = self._text.decode()
            except UnicodeDecodeError:
                self._form.errors[self._name] = ["Not valid UTF-8."]
        self._upload = self._text = None


def clean_filename(name: str) -> str:
    """Return the last part of a path, without what cannot be seen or what turns the reading direction."""
    last = _SEPARATORS.split(unicodedata.normalize("NFC", name))[-1]
    seen = "".join(c for c in last if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    return seen.strip()[:MAX_FILENAME_CHARACTERS]
