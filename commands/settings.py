"""Settings: every value that the environment decides, declared once, and the only reader of it."""

import os
import re
from collections.abc import Mapping
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from domain.rates import MAX_AGE_DAYS

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on
_URL_PASSWORD = re.compile(r"(://[^:/?#@\s]*:)\S*@")
_QUERY_PASSWORD = re.compile(r"(password=)[^&\s]+")


class SettingsError(Exception):
    """One line that names the variable and says what it should be."""


class Setting(NamedTuple):
    """How a field is set: its variable, what it means, and whether its value may be shown."""

    variable: str
    meaning: str
    secret: bool = False


class Shown(NamedTuple):
    """One row of `deadwax settings`; `value` is masked where it is secret."""

    name: str
    variable: str
    value: str
    source: Literal["default", "environment"]
    meaning: str


# A description completes "expected …" in the error line.
PostgresUrl = Annotated[str, Meta(pattern=r"^postgres(ql)?://", description="postgresql://user:password@host/database")]
BrokerUrl = Annotated[str, Meta(pattern=r"^(rediss?|unix|amqps?)://", description="redis://host:6379/0 or amqp://host")]
HttpUrlOrOff = Annotated[str, Meta(pattern=r"^(off$|https?://[^/\s]+)", description="http://host, https://host or off")]
Days = Annotated[int, Meta(ge=1, le=365, description="a number of days from 1 to 365")]
HttpUrl = Annotated[str, Meta(pattern=r"^https?://[^/\s]+", description="http://host or https://host")]
Origin = Annotated[str, Meta(pattern=r"^https?://[^/\s]+/?$", description="http://host or https://host, no path")]
SmtpUrl = Annotated[
    str, Meta(pattern=r"^smtps?://[^/\s]+", description="smtp://user:password@host:587 or smtps://host")
]
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
MailAddress = Annotated[
    str,
    Meta(
        pattern=rf"^{_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\Z",
        description="an address like shop@example.com",
    ),
]
SecretKey = Annotated[str, Meta(min_length=16, description="a secret of 16 characters or more")]
Port = Annotated[int, Meta(ge=1, le=65535, description="a number from 1 to 65535")]
Count = Annotated[int, Meta(ge=1, le=256, description="a number from 1 to 256")]
Limit = Annotated[int, Meta(ge=0, description="a number, 0 or more")]
Bytes = Annotated[int, Meta(ge=1024, description="a number of bytes, 1024 or more")]
Pixels = Annotated[int, Meta(ge=1, le=170_000_000, description="a number of pixels from 1 to 170 million")]
Seconds = Annotated[float, Meta(gt=0, description="a number of seconds above 0")]
Bucket = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="3 to 63 of a-z, 0-9, dots and dashes")
]
MediaType = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9!#$&^_.+-]*/([a-z0-9][a-z0-9!#$&^_.+-]*|\*)$")]
MediaTypes = Annotated[
    tuple[MediaType, ...], Meta(description="content types such as application/zip or audio/*, separated by commas")
]
Role = Annotated[str, Meta(pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="a role's name: a-z, 0-9 and underscores")]
Networks = Annotated[tuple[str, ...], Meta(description="IP addresses or CIDRs separated by commas")]


class Settings(Struct, frozen=True, kw_only=True):
    """What a process runs with. An engine whose URL is empty is embedded: `deadwax serve` starts it."""

    database_url: Annotated[PostgresUrl, Setting("DATABASE_URL", "PostgreSQL 15 or later; empty: embedded")] = ""
    redis_url: Annotated[BrokerUrl, Setting("REDIS_URL", "Redis, Valkey or RabbitMQ; empty: embedded")] = ""
    s3_endpoint_url: Annotated[HttpUrl, Setting("S3_ENDPOINT_URL", "S3 server; empty: embedded")] = ""
    s3_access_key: Annotated[str, Setting("S3_ACCESS_KEY", "Access key of the S3 server")] = ""
    s3_secret_key: Annotated[str, Setting("S3_SECRET_KEY", "Secret key of the S3 server", secret=True)] = ""
    s3_bucket: Annotated[Bucket, Setting("S3_BUCKET", "Bucket that holds the files")] = "deadwax"
    s3_region: Annotated[str, Setting("S3_REGION", "Region that requests are signed for")] = "us-east-1"

    s3_public_url: Annotated[
        Origin, Setting("S3_PUBLIC_URL", "Where clients reach the S3 server; empty: where the API does")
    ] = ""
    secret_key: Annotated[
        SecretKey,
        Setting("DEADWAX_SECRET_KEY", "What buyers' links are made and credentials sealed with; keep it", secret=True),
    ] = ""
    previous_secret_key: Annotated[
        str,
        Setting(
            "DEADWAX_PREVIOUS_SECRET_KEY", "The one before: what it sealed can be opened still, for reseal", secret=True
        ),
    ] = ""
    ebay_client_id: Annotated[str, Setting("EBAY_CLIENT_ID", "This deployment's application at eBay")] = ""
    ebay_client_secret: Annotated[str, Setting("EBAY_CLIENT_SECRET", "Its secret", secret=True)] = ""
    ebay_ru_name: Annotated[
        str, Setting("EBAY_RU_NAME", "Its RuName, which leads back to /api/v1/marketplace-connections/callback/")
    ] = ""
    ebay_api_url: Annotated[HttpUrl, Setting("EBAY_API_URL", "Where eBay's API is")] = "https://api.ebay.com"
    ebay_auth_url: Annotated[HttpUrl, Setting("EBAY_AUTH_URL", "Where sellers consent at eBay")] = (
        "https://auth.ebay.com"
    )
    discogs_consumer_key: Annotated[
        str, Setting("DISCOGS_CONSUMER_KEY", "This deployment's application at Discogs; empty: personal tokens alone")
    ] = ""
    discogs_consumer_secret: Annotated[str, Setting("DISCOGS_CONSUMER_SECRET", "Its secret", secret=True)] = ""
    discogs_auth_url: Annotated[HttpUrl, Setting("DISCOGS_AUTH_URL", "Where sellers consent at Discogs")] = (
        "https://www.discogs.com"
    )
    discogs_api_url: Annotated[HttpUrl, Setting("DISCOGS_API_URL", "Where Discogs' API is")] = "https://api.discogs.com"
    smtp_url: Annotated[SmtpUrl, Setting("SMTP_URL", "Mail server; empty: mails are files in the data folder")] = ""
    mail_from: Annotated[MailAddress, Setting("MAIL_FROM", "Address that mails are sent from")] = "deadwax@localhost"

    public_url: Annotated[HttpUrl, Setting("PUBLIC_URL", "Base of absolute links; empty: the request's own")] = ""
    media_base_url: Annotated[
        HttpUrl, Setting("MEDIA_BASE_URL", "Base of links to pictures, a CDN before the API; empty: as all links")
    ] = ""
    host: Annotated[str, Setting("DEADWAX_HOST", "Address that the API listens on")] = "127.0.0.1"
    port: Annotated[Port, Setting("DEADWAX_PORT", "Port that the API listens on")] = 8000
    data: Annotated[Path, Setting("DEADWAX_DATA", "Folder of the embedded engines")] = Path(".deadwax")
    api_processes: Annotated[Count, Setting("DEADWAX_API_PROCESSES", "Processes that answer HTTP")] = 2
    worker_processes: Annotated[Count, Setting("DEADWAX_WORKER_PROCESSES", "Processes that run tasks")] = 1
    worker_threads: Annotated[
        Count, Setting("DEADWAX_WORKER_THREADS", "Tasks at once in each lane of one worker process")
    ] = 4
    write_pool_size: Annotated[Count, Setting("DEADWAX_WRITE_POOL_SIZE", "Commands at once in one process")] = 8
    read_pool_size: Annotated[Count, Setting("DEADWAX_READ_POOL_SIZE", "Queries at once in one process")] = 8

    page_cache_mib: Annotated[
        Limit, Setting("DEADWAX_PAGE_CACHE_MIB", "Memory for hot pages in one process; 0: none are kept")
    ] = 32

    rate_limit_per_minute: Annotated[
        Limit, Setting("DEADWAX_RATE_LIMIT_PER_MINUTE", "Requests of one key in a minute; 0: no limit")
    ] = 600
    trusted_proxies: Annotated[
        Networks, Setting("DEADWAX_TRUSTED_PROXIES", "Whose X-Forwarded-* headers are believed")
    ] = ()
    body_limit_bytes: Annotated[Bytes, Setting("DEADWAX_BODY_LIMIT_BYTES", "Largest JSON body")] = 1024**2
    batch_limit_bytes: Annotated[
        Bytes, Setting("DEADWAX_BATCH_LIMIT_BYTES", "Largest JSON body of a batch of products")
    ] = 8 * 1024**2
    upload_limit_bytes: Annotated[Bytes, Setting("DEADWAX_UPLOAD_LIMIT_BYTES", "Largest uploaded file")] = 64 * 1024**2
    image_limit_bytes: Annotated[Bytes, Setting("DEADWAX_IMAGE_LIMIT_BYTES", "Largest uploaded picture")] = 20 * 1024**2
    image_limit_pixels: Annotated[
        Pixels, Setting("DEADWAX_IMAGE_LIMIT_PIXELS", "Pixels of a picture; decoding one takes up to 5 bytes for each")
    ] = 50_000_000
    image_grace_seconds: Annotated[
        Seconds, Setting("DEADWAX_IMAGE_GRACE_SECONDS", "Time that a picture is kept which nothing shows any more")
    ] = 24 * 3600.0
    asset_limit_bytes: Annotated[Bytes, Setting("DEADWAX_ASSET_LIMIT_BYTES", "Largest digital asset")] = 5 * 1024**3
    asset_types: Annotated[
        MediaTypes, Setting("DEADWAX_ASSET_TYPES", "Content types of digital assets; empty: all are taken")
    ] = ()
    asset_grace_seconds: Annotated[
        Seconds, Setting("DEADWAX_ASSET_GRACE_SECONDS", "Time that a file is kept which no digital asset has any more")
    ] = 24 * 3600.0
    download_redirect_bytes: Annotated[
        Limit,
        Setting("DEADWAX_DOWNLOAD_REDIRECT_BYTES", "Files from this size on come straight from S3; 0: none do"),
    ] = 0
    body_timeout_seconds: Annotated[Seconds, Setting("DEADWAX_BODY_TIMEOUT_SECONDS", "Time to send a body")] = 30.0
    rates_url: Annotated[
        HttpUrlOrOff, Setting("DEADWAX_RATES_URL", "Where the euro's reference rates are fetched daily; off: nowhere")
    ] = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
    rates_fallback_url: Annotated[
        HttpUrlOrOff, Setting("DEADWAX_RATES_FALLBACK_URL", "A Frankfurter server to ask where that fails; off: none")
    ] = "https://api.frankfurter.dev"
    rate_max_age_days: Annotated[
        Days, Setting("DEADWAX_RATE_MAX_AGE_DAYS", "An older rate makes no price: it shows as stale")
    ] = MAX_AGE_DAYS
    activity_days: Annotated[
        Days, Setting("DEADWAX_ACTIVITY_DAYS", "Time that is kept what was done with marketplaces' listings")
    ] = 30
    seal_key: Annotated[
        str, Setting("DEADWAX_SEAL_KEY", "Key that the log is sealed with, 32 bytes in base64", secret=True)
    ] = ""
    seal_key_file: Annotated[
        str, Setting("DEADWAX_SEAL_KEY_FILE", "File that holds that key; empty: seal.key in the data folder")
    ] = ""
    seal_seconds: Annotated[Seconds, Setting("DEADWAX_SEAL_SECONDS", "Time between two seals of the log")] = 60.0
    seal_anchor_file: Annotated[
        str, Setting("DEADWAX_SEAL_ANCHOR_FILE", "File that seals are kept in too, away from the database")
    ] = ""
    database_runtime_role: Annotated[
        Role, Setting("DATABASE_RUNTIME_ROLE", "Role of api and worker, which `migrate` gives its rights; empty: none")
    ] = ""
    log_format: Annotated[Literal["console", "json"], Setting("DEADWAX_LOG_FORMAT", "How log lines look")] = "console"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Setting("DEADWAX_LOG_LEVEL", "The least that is logged")
    ] = "info"

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return the settings of `environ`; an empty variable counts as not set. Raises SettingsError."""
        given = {
            name: _convert(setting, text, kind)
            for name, (kind, setting) in declared().items()
            if (text := environ.get(setting.variable, "").strip())
        }
        settings = cls(**given)
        if settings.s3_endpoint_url and not (settings.s3_access_key and settings.s3_secret_key):
            raise SettingsError("S3_ENDPOINT_URL is set: S3_ACCESS_KEY and S3_SECRET_KEY have to be set too")
        if settings.smtp_url and not (settings.public_url and "mail_from" in given):
            raise SettingsError("SMTP_URL is set: PUBLIC_URL, which mails link to, and MAIL_FROM have to be set too")
        return settings

    def require(self, *names: str) -> None:
        """Raise SettingsError for the first of these fields that is empty."""
        for name in names:
            if not getattr(self, name):
                variable = declared()[name][1].variable
                raise SettingsError(f"{variable} is not set (`deadwax serve` would bring one of its own)")

    @property
    def base_url(self) -> str:
        """Where links that are made without a request lead: PUBLIC_URL, else this machine."""
        host = ANYWHERE.get(self.host, self.host)
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def replaced(self, environ: Mapping[str, str]) -> Self:
        """Return these settings with the variables of `environ` instead of their own."""
        names = {setting.variable: name for name, (_, setting) in declared().items()}
        return msgspec.structs.replace(self, **{names[variable]: text for variable, text in environ.items()})

    def shown(self, environ: Mapping[str, str] = os.environ) -> list[Shown]:
        """Return every setting, in the order of declaration, as a person may see it."""
        rows = []
        for name, (_, setting) in declared().items():
            value = getattr(self, name)
            text = ",".join(value) if isinstance(value, tuple) else str(value)
            source: Literal["default", "environment"] = "default"
            if environ.get(setting.variable, "").strip():
                source = "environment"
            rows.append(Shown(name, setting.variable, mask(text, setting.secret), source, setting.meaning))
        return rows


@cache
def declared() -> dict[str, tuple[Any, Setting]]:
    """Return field -> (type to convert to, setting) in the order of declaration."""
    found = {}
    for name, hint in get_type_hints(Settings, include_extras=True).items():
        kind, *annotations = get_args(hint)
        metas = [meta for meta in annotations if isinstance(meta, Meta)]
        [setting] = [setting for setting in annotations if isinstance(setting, Setting)]
        found[name] = (Annotated[(kind, *metas)] if metas else kind, setting)
    return found


def mask(text: str, secret: bool = False) -> str:
    """Return `text` without its secret: all of it, or the passwords inside a URL."""
    if secret:
        return "****" if text else ""
    return _QUERY_PASSWORD.sub(r"\1****", _URL_PASSWORD.sub(r"\1****@", text))


def _convert(setting: Setting, text: str, kind: Any) -> Any:
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    try:
        if plain is Path:
            return Path(text).expanduser()
        if get_origin(plain) is tuple:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            if get_args(plain)[0] is str:
                return tuple(str(ip_network(part, strict=False)) for part in parts)
            return msgspec.convert([part.lower() for part in parts], kind)
        value = msgspec.convert(text, kind, strict=False)
    except ValueError:
        given = mask(text, setting.secret)
        raise SettingsError(f"{setting.variable}: expected {_expected(kind)}, not {given!r}") from None
    return value.rstrip("/") if setting.variable.endswith("_URL") else value


def _expected(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    return next((meta.description for meta in get_args(kind)[1:] if meta.description), str(kind))
