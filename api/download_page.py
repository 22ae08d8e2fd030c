"""What a buyer sees behind the link: HTML that needs no script and nothing from elsewhere."""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct

from api.answers import Header

HTML = b"text/html; charset=utf-8"
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+")


class File(Struct, frozen=True, kw_only=True):
    """`size` is for people: "3.2 MB"."""

    display_name: str | None = None
    filename: str
    size: str
    url: str


class Offer(Struct, frozen=True, kw_only=True):
    """A purchase as its buyer sees it. `cover` is an address of ours or None; `all` the zip of all files, if any."""

    title: str
    seller: str
    cover: str | None
    terms: Sequence[str]
    files: Sequence[File]
    all: File | None

    @property
    def hue(self) -> int:
        """The colour of a cover that is drawn, the same each time."""
        return hashlib.sha256(self.title.encode()).digest()[0] * 360 // 256


class Refusal(Struct, frozen=True, kw_only=True):
    """Why there is nothing to see, in plain words. `detail` says it to programs; `page` leads to what there is."""

    status: int
    detail: str
    heading: str
    sentences: Sequence[str]
    page: str | None = None


def size_words(size_bytes: int) -> str:
    """Say a size as people do: "999 bytes", "1.2 kB", "640 MB"."""
    amount, unit = float(size_bytes), 0
    while round(amount, 1 if amount < 10 else 0) >= 1000:
        amount, unit = amount / 1000, unit + 1
    if unit == 0:
        return "1 byte" if size_bytes == 1 else f"{size_bytes} bytes"
    # 9.96 would be 10.0 with one place.
    return f"{amount:.1f} {_UNITS[unit]}" if round(amount, 1) < 10 else f"{amount:.0f} {_UNITS[unit]}"


def date_words(at: datetime) -> str:
    """Say a moment as people do, in UTC: "3 March 2026, 14:05 UTC"."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def terms(expires_at: datetime | None, remaining: int | None) -> list[str]:
    """Say until when and how often the files can be downloaded; None: without an end, as often as one likes."""
    until = f"Available until {date_words(expires_at)}." if expires_at else "Your files stay available."
    if remaining is None:
        return [until, "You can download them as often as you like."]
    left = "1 download is left." if remaining == 1 else f"{remaining} downloads are left."
    return [until, f"{left} Going on with one that broke off, within 30 minutes, does not count again."]


UNKNOWN = Refusal(
    status=404,
    detail="Not found.",
    heading="This link leads nowhere",
    sentences=(
        "Part of it may be missing: mail programs sometimes break a long link in two.",
        "Copy the whole link from the mail into the address bar.",
        "If it still does not work, ask the shop that you bought from to send the mail again.",
    ),
)
TROUBLE = Refusal(
    status=503,
    detail="A service this needs cannot be reached right now. Try again.",
    heading="Not right now",
    sentences=("Something that your download needs is out of order. Nothing is lost: try again in a few minutes.",),
)


BEYOND = Refusal(
    status=416,
    detail="The file ends before this range.",
    heading="There is no more of this file",
    sentences=("What was asked for lies behind its end. Start the download anew.",),
)


def no_such_file(page: str) -> Refusal:
    sentence = "Your purchase has no file at this address."
    return Refusal(status=404, detail="Not found.", heading="No such file", sentences=(sentence,), page=page)


def revoked(seller: str) -> Refusal:
    return Refusal(
        status=410,
        detail="This download was withdrawn by the seller.",
        heading="This download was withdrawn",
        sentences=(
            f"{seller} has withdrawn it, so its files cannot be downloaded any more.",
            "If you think that this is a mistake, reply to the mail that the link came with.",
        ),
    )


def expired(seller: str, at: datetime) -> Refusal:
    return Refusal(
        status=410,
        detail="This download has expired.",
        heading="This download has expired",
        sentences=(
            f"Its files were available until {date_words(at)}.",
            f"If you still need them, ask {seller}: a reply to the mail that the link came with will do.",
        ),
    )


def used_up(seller: str, most: int) -> Refusal:
    times = "once" if most == 1 else f"{most} times"
    return Refusal(
        status=403,
        detail="This purchase has no downloads left.",
        heading="No downloads are left",
        sentences=(
            f"The files could be downloaded {times}, and that has been done.",
            "If one has just broken off, let your browser go on with it: within 30 minutes that does not count again.",
            f"If you need another one, ask {seller}: a reply to the mail that the link came with will do.",
        ),
    )


def too_few(seller: str, remaining: int, page: str) -> Refusal:
    left = "Only 1 download is left" if remaining == 1 else f"Only {remaining} downloads are left"
    return Refusal(
        status=403,
        detail="This purchase has not enough downloads left for all files.",
        heading="Not enough downloads are left",
        sentences=(
            f"{left}, and all files at once count as one each.",
            "Download the ones that you need.",
            f"If you need more, ask {seller}: a reply to the mail that the link came with will do.",
        ),
        page=page,
    )


def show_offer(offer: Offer) -> bytes:
    return _TEMPLATES.get_template("download.html").render(offer=offer).encode()


def show_refusal(refusal: Refusal) -> bytes:
    return _TEMPLATES.get_template("refused.html").render(refusal=refusal).encode()


def policy(*picture_urls: str) -> Header:
    """Return the header that has a browser load nothing but what is on the page, and pictures from these places."""
    found = (_ORIGIN.match(url) for url in picture_urls)
    origins = " ".join(["'self'", *(origin[0] for origin in found if origin)])
    rules = (
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_DIGEST}'",
        f"img-src {origins}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return b"content-security-policy", "; ".join(rules).encode()


_STYLE = files("api").joinpath("templates", "download.css").read_text(encoding="utf-8")
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_TEMPLATES = Environment(
    loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.globals["style"] = _STYLE
