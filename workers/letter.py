"""The mail that leads a buyer to their files: HTML and plain text of it, and headers that nobody's text can break."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from domain.purchase.events import SoldAsset
from domain.purchase.purchase import Purchase
from projections.letters import Addressed

LISTED_FILES = 20


class _Policy(EmailPolicy):
    """Of a text that is not ASCII the library's own folding loses spaces between two encoded words."""

    def fold_binary(self, name: str, value: Any) -> bytes:
        if str(value).isascii():
            return super().fold_binary(name, value)
        addresses = getattr(value, "addresses", None)
        if addresses is None:
            text = _encoded(str(value), name)
        else:
            text = ",\r\n ".join(f"{_encoded(one.display_name, name)}\r\n <{one.addr_spec}>" for one in addresses)
        return f"{name}: {text}\r\n".encode("ascii")


def _encoded(text: str, header: str) -> str:
    return Header(text, "utf-8", header_name=header).encode(linesep="\r\n")


# Nothing but ASCII is on the way: there are servers that take nothing else.
POLICY = _Policy(cte_type="7bit", linesep="\r\n")
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_templates = Environment(
    loader=PackageLoader("workers"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Letter(NamedTuple):
    """A mail as it goes on the wire. `name` is the purchase's uid and the mail's number."""

    name: str
    sender: str
    recipient: str
    data: bytes


class _File(NamedTuple):
    name: str
    size: str


def written(
    name: str, purchase: Purchase, to: Addressed, url: str, *, recipient: str, sender: str, now: datetime
) -> Letter:
    """Write the mail. `recipient` is the buyer's address with its domain in ASCII; `sender` is one address."""
    title, seller, buyer = (line(text or "") for text in (purchase.title, to.seller, to.name))
    subject = f"Your download: {title}" if title else f"Your download from {seller}"
    message = EmailMessage(POLICY)
    message["Subject"] = subject
    message["From"] = addressed(seller, sender)
    message["To"] = addressed(buyer, recipient)
    if to.reply_to is not None:
        message["Reply-To"] = addressed(seller, to.reply_to)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{name}@{sender.rpartition('@')[2]}>"
    # Whoever is away does not tell that to a machine (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    said = {
        "subject": subject,
        "title": title,
        "seller": seller,
        "buyer": buyer,
        "url": url,
        "files": _files(purchase.assets),
        "more": max(0, len(purchase.assets) - LISTED_FILES),
        "downloads": _times(purchase.max_downloads),
        "until": _moment(purchase.expires_at),
        "can_reply": to.reply_to is not None,
    }
    message.set_content(_rendered("purchase.txt", said), cte="quoted-printable")
    message.add_alternative(_rendered("purchase.html", said), subtype="html", cte="quoted-printable")
    return Letter(name, sender, recipient, message.as_bytes())


def line(text: str) -> str:
    """Return the text as one line without what is not seen: controls, and marks that turn the direction of others."""
    shown = "".join(
        " " if character.isspace() or unicodedata.category(character) == "Cc" else character
        for character in text
        if character not in _BIDI
    )
    return " ".join(shown.split())


def addressed(name: str, address: str) -> Address:
    return Address(display_name=name, addr_spec=address)


def _rendered(template: str, said: dict[str, Any]) -> str:
    return _templates.get_template(template).render(said)


def _files(assets: Sequence[SoldAsset]) -> list[_File]:
    return [_File(line(sold.display_name or sold.filename), size(sold.size_bytes)) for sold in assets[:LISTED_FILES]]


def size(size_bytes: int) -> str:
    """Return a size as people say it, in units of a thousand."""
    amount = float(size_bytes)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _times(number: int | None) -> str:
    return "" if number is None else "once" if number == 1 else f"{number} times"


def _moment(at: datetime | None) -> str:
    # Months by name, whatever the server's locale: no day is taken for a month.
    return "" if at is None else f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
