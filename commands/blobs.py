"""Files in an S3 bucket: the one door to it. Plain S3, so that AWS, Garage, Ceph or an embedded server serve alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Part
from minio.error import MinioException, S3Error

from commands.settings import Settings
from domain.errors import NotFound, Unavailable

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
PART_BYTES = 8 * 1024**2
LEAST_PART_BYTES = 5 * 1024**2
"""S3 takes no smaller part but the last, and no more than MOST_PARTS of them."""
MOST_PARTS = 10_000
CHUNK_BYTES = 1 << 18
_CONNECTIONS = 64
"""Kept open; each download that is under way has one."""
_MISSING = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchVersion", "NoSuchUpload"})
_OURS = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


class _Pool(urllib3.PoolManager):
    """Some servers call the XML of their errors text/xml, and the client reads none but application/xml."""

    def urlopen(  # type: ignore[override] # named arguments alone are passed on
        self, method: str, url: str, redirect: bool = True, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        response = super().urlopen(method, url, redirect, **options)
        if response.status >= 400 and response.headers.get("content-type", "").startswith("text/xml"):
            response.headers["content-type"] = "application/xml"
        return response


class StoredPart(NamedTuple):
    """A part of a blob that is put in parts; `number` counts from 1."""

    number: int
    etag: str
    size_bytes: int


class _Client(Minio):
    """The library's own calls of S3's multipart uploads, which it has for itself alone."""

    def begin(self, bucket: str, key: str, content_type: str) -> str:
        return self._create_multipart_upload(bucket, key, {"Content-Type": content_type})

    def put_part(self, bucket: str, key: str, multipart: str, number: int, data: bytes) -> str:
        return self._upload_part(bucket, key, data, None, multipart, number)

    def parts(self, bucket: str, key: str, multipart: str) -> Iterator[Part]:
        marker: str | None = None
        while True:
            found = self._list_parts(bucket, key, multipart, part_number_marker=marker)
            yield from found.parts
            if not found.is_truncated:
                return
            marker = str(found.next_part_number_marker)

    def complete(self, bucket: str, key: str, multipart: str, parts: Sequence[StoredPart]) -> None:
        self._complete_multipart_upload(bucket, key, multipart, [Part(part.number, part.etag) for part in parts])

    def under_way(self, bucket: str, key: str) -> list[str]:
        """Return the uploads of this very key."""
        found = self._list_multipart_uploads(bucket, prefix=key)
        return [upload.upload_id for upload in found.uploads if upload.object_name == key and upload.upload_id]

    def abort(self, bucket: str, key: str, multipart: str) -> None:
        self._abort_multipart_upload(bucket, key, multipart)


class Blobs:
    """Safe to share between threads. Every method raises Unavailable where the server does not answer or refuses."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.s3_bucket
        self._pool = _Pool(
            num_pools=4,
            maxsize=_CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
            retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = self._client_of(settings, settings.s3_endpoint_url)
        # An address is signed for the host that it leads to: clients may know the server by another one.
        self._signing = self._client_of(settings, settings.s3_public_url or settings.s3_endpoint_url)

    def _client_of(self, settings: Settings, url: str) -> _Client:
        endpoint = urlsplit(url)
        return _Client(
            endpoint.netloc,
            access_key=settings.s3_access_key,
            secret_key=settings.s3_secret_key,
            secure=endpoint.scheme == "https",
            region=settings.s3_region,
            http_client=self._pool,
        )

    def put(self, key: str, data: BinaryIO, size_bytes: int, content_type: str = "application/octet-stream") -> None:
        """Store `size_bytes` of `data` from where it stands, in parts. The bucket is made when it is not there."""
        start = data.tell()
        for is_last in (False, True):
            try:
                with _answering():
                    self._client.put_object(
                        self._bucket, key, data, size_bytes, content_type=content_type, part_size=PART_BYTES
                    )
                return
            except NotFound:
                if is_last:
                    raise Unavailable from None
                self._make_bucket()
                data.seek(start)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the content, or `length` bytes from an offset on, in chunks. Raises NotFound, before the first one.

        A range is one that lies within the blob.
        """
        with _answering():
            response = self._client.get_object(self._bucket, key, offset, length or 0)

        def chunks() -> Iterator[bytes]:
            try:
                with _answering():
                    yield from response.stream(CHUNK_BYTES)
            finally:
                response.close()
                response.release_conn()

        return chunks()

    def download_url(self, key: str, seconds: float, disposition: str, content_type: str) -> str:
        """Return an address that whoever has it may GET the blob at, for so long, with these headers. Nothing is asked
        of the server."""
        shown: Any = {"response-content-disposition": disposition, "response-content-type": content_type}
        return self._signing.presigned_get_object(self._bucket, key, timedelta(seconds=seconds), response_headers=shown)

    def size_bytes(self, key: str) -> int:
        """Raises NotFound."""
        with _answering():
            return self._client.stat_object(self._bucket, key).size or 0

    def begin(self, key: str, content_type: str = "application/octet-stream") -> str:
        """Return the name of a new upload in parts, which `complete` makes a blob of."""
        try:
            with _answering():
                return self._client.begin(self._bucket, key, content_type)
        except NotFound:
            self._make_bucket()
        with _answering():
            return self._client.begin(self._bucket, key, content_type)

    def put_part(self, key: str, multipart: str, number: int, data: bytes) -> StoredPart:
        """Store one part; one of the same number is replaced. Raises NotFound where the upload is over."""
        with _answering():
            return StoredPart(number, self._client.put_part(self._bucket, key, multipart, number, data), len(data))

    def parts(self, key: str, multipart: str) -> list[StoredPart]:
        """Return the parts that are there, by number. Raises NotFound where the upload is over."""
        with _answering():
            found = self._client.parts(self._bucket, key, multipart)
            return [StoredPart(part.part_number, part.etag, part.size or 0) for part in found]

    def complete(self, key: str, multipart: str, parts: Sequence[StoredPart]) -> None:
        """Raises NotFound where the upload is over."""
        with _answering():
            self._client.complete(self._bucket, key, multipart, parts)

    def part_url(self, key: str, multipart: str, number: int, seconds: float) -> str:
        """Return an address that whoever has it may PUT this part to, for so long. Nothing is asked of the server."""
        query: dict[str, str | list[str] | tuple[str]] = {"uploadId": multipart, "partNumber": str(number)}
        return self._signing.get_presigned_url(
            "PUT", self._bucket, key, timedelta(seconds=seconds), extra_query_params=query
        )

    def discard(self, key: str) -> None:
        """Remove the blob and whatever is under way to become it."""
        with suppress(NotFound), _answering():
            for multipart in self._client.under_way(self._bucket, key):
                with suppress(NotFound), _answering():
                    self._client.abort(self._bucket, key, multipart)
        with suppress(NotFound):
            self.delete(key)

    def copy_to(self, key: str, file: BinaryIO) -> None:
        """Write the whole content to `file`. Raises NotFound."""
        file.writelines(self.get(key))

    def listed(self) -> Iterator[tuple[str, str]]:
        """Yield (key, content type) of every file, by key."""
        try:
            with _answering():
                keys = [found.object_name or "" for found in self._client.list_objects(self._bucket, recursive=True)]
        except NotFound:
            return  # the bucket is made with its first file
        for key in keys:
            with suppress(NotFound), _answering():
                yield key, self._client.stat_object(self._bucket, key).content_type or "application/octet-stream"

    def delete(self, key: str) -> None:
        """Remove the blob; one that is not there is gone already."""
        with _answering():
            self._client.remove_object(self._bucket, key)

    def check(self) -> None:
        """Return where the server answers."""
        with _answering():
            self._client.bucket_exists(self._bucket)

    def close(self) -> None:
        self._pool.clear()

    def _make_bucket(self) -> None:
        with _answering():
            self._client.make_bucket(self._bucket)


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING or error.code == "NoSuchBucket":
            raise NotFound from error
        if error.code not in _OURS:
            raise Unavailable(f"The file store refused: {error.code}") from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable("The file store cannot be reached right now. Try again.") from error
