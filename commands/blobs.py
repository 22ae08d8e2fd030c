"""Files in an S3 bucket: the one door to it. Plain S3, so that AWS, Garage, Ceph or an embedded server serve alike."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from commands.settings import Settings
from domain.errors import NotFound, Unavailable

CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 30.0
PART_BYTES = 8 * 1024**2
CHUNK_BYTES = 1 << 18
_CONNECTIONS = 16
_MISSING = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchVersion"})
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


class Blobs:
    """Safe to share between threads. Every method raises Unavailable where the server does not answer or refuses."""

    def __init__(self, settings: Settings) -> None:
        endpoint = urlsplit(settings.s3_endpoint_url)
        self._bucket = settings.s3_bucket
        self._pool = _Pool(
            num_pools=4,
            maxsize=_CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS),
            retries=urllib3.Retry(total=2, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        )
        self._client = Minio(
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

    def get(self, key: str) -> Iterator[bytes]:
        """Yield the content in chunks. Raises NotFound, before the first one."""
        with _answering():
            response = self._client.get_object(self._bucket, key)

        def chunks() -> Iterator[bytes]:
            try:
                with _answering():
                    yield from response.stream(CHUNK_BYTES)
            finally:
                response.close()
                response.release_conn()

        return chunks()

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
