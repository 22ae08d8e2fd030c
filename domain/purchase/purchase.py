"""The purchase: what somebody bought and may download, and the mails that tell them. State, decisions, evolve."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from domain.errors import NotFound
from domain.event import DomainEvent, Stamp
from domain.purchase import mails
from domain.purchase.errors import BuyerGone, Expired, Revoked, Superseded, TooManyMails, UsedUp
from domain.purchase.events import (
    BuyerErased,
    DownloadOpened,
    EmailFailed,
    EmailRequested,
    EmailSent,
    PurchaseCreated,
    PurchaseRestored,
    PurchaseRevoked,
    SoldAsset,
)

EmailStatus = Literal["pending", "sent", "failed"]


class Purchase(Struct, frozen=True, kw_only=True):
    """`title` and `type` are the product's as sold, `assets` its files as sold, the primary one first.

    Mails are numbered from 1; those up to `mails_settled` were sent or given up. The `email_` fields are of the last
    one that was asked for: `email_attempts` that failed or went through, `email_error` of the last that failed.
    `resent` are the latest times at which a mail was asked for once more.
    """

    id: UUID
    organization: UUID
    version: int
    product: UUID
    title: str | None
    type: str
    buyer: UUID
    external_order_id: str | None
    max_downloads: int | None
    expires_at: datetime | None
    assets: tuple[SoldAsset, ...]
    token_digest: bytes
    is_revoked: bool = False
    is_erased: bool = False
    download_count: int = 0
    email_status: EmailStatus = "pending"
    email_attempts: int = 0
    email_error: str | None = None
    email_sent_at: datetime | None = None
    email_requested_at: datetime
    email_due: datetime | None
    mails_requested: int = 1
    mails_settled: int = 0
    resent: tuple[datetime, ...] = ()
    created: datetime
    updated: datetime

    @property
    def status(self) -> str:
        return "revoked" if self.is_revoked else self.email_status

    @property
    def owed(self) -> datetime | None:
        """When the next mail is to be sent; None where none is."""
        return None if self.is_revoked else self.email_due

    @property
    def next_mail(self) -> int:
        return self.mails_settled + 1


def create(
    id: UUID,
    stamp: Stamp,
    *,
    product: UUID,
    title: str | None,
    type: str,
    buyer: UUID,
    assets: Sequence[SoldAsset],
    token_digest: bytes,
    external_order_id: str | None = None,
    max_downloads: int | None = None,
    expires_at: datetime | None = None,
) -> PurchaseCreated:
    return PurchaseCreated(
        **stamp.on(id, 1),
        product=product,
        title=title,
        type=type,
        buyer=buyer,
        external_order_id=external_order_id,
        max_downloads=max_downloads,
        expires_at=expires_at,
        assets=tuple(assets),
        token_digest=token_digest,
    )


def email_sent(purchase: Purchase, number: int, stamp: Stamp) -> EmailSent:
    """Raises Superseded where another mail is next, or none."""
    _fence(purchase, number)
    attempt = purchase.email_attempts + 1
    return EmailSent(**stamp.on(purchase.id, purchase.version + 1), number=number, attempt=attempt)


def email_failed(
    purchase: Purchase, number: int, reason: str, stamp: Stamp, *, is_final: bool, jitter: float
) -> EmailFailed:
    """Return the failure with the time of the next attempt, none where it `is_final` or the mail's day is over.

    `jitter` from 0 to 1 is how much of the pause's random half counts. Raises Superseded.
    """
    _fence(purchase, number)
    attempt = purchase.email_attempts + 1
    due = None if is_final else mails.next_attempt(attempt, purchase.email_requested_at, stamp.timestamp, jitter)
    base = stamp.on(purchase.id, purchase.version + 1)
    return EmailFailed(**base, number=number, attempt=attempt, reason=reason, due=due)


def _fence(purchase: Purchase, number: int) -> None:
    """A worker that comes back late finds that its mail is not the next one."""
    if number != purchase.next_mail or number > purchase.mails_requested:
        raise Superseded


def request_email(purchase: Purchase, stamp: Stamp) -> EmailRequested:
    """Raises Revoked, BuyerGone, TooManyMails with the seconds until the next one."""
    if purchase.is_revoked:
        raise Revoked
    if purchase.is_erased:
        raise BuyerGone
    if seconds := mails.throttled_seconds(purchase.resent, stamp.timestamp):
        raise TooManyMails(seconds)
    return EmailRequested(**stamp.on(purchase.id, purchase.version + 1))


def revoke(purchase: Purchase, stamp: Stamp) -> list[PurchaseRevoked]:
    """Return nothing where it is revoked already."""
    return [] if purchase.is_revoked else [PurchaseRevoked(**stamp.on(purchase.id, purchase.version + 1))]


def restore(purchase: Purchase, stamp: Stamp) -> list[PurchaseRestored]:
    """Return nothing where it is not revoked."""
    return [PurchaseRestored(**stamp.on(purchase.id, purchase.version + 1))] if purchase.is_revoked else []


def open_download(purchase: Purchase, asset: UUID, download: UUID, now: datetime, stamp: Stamp) -> DownloadOpened:
    """Raises NotFound where the asset was not sold, Revoked, Expired, UsedUp."""
    if all(sold.id != asset for sold in purchase.assets):
        raise NotFound
    if purchase.is_revoked:
        raise Revoked
    if purchase.expires_at is not None and purchase.expires_at <= now:
        raise Expired
    if purchase.max_downloads is not None and purchase.download_count >= purchase.max_downloads:
        raise UsedUp
    return DownloadOpened(**stamp.on(purchase.id, purchase.version + 1), download=download, asset=asset)


def erase_buyer(purchase: Purchase, stamp: Stamp) -> list[BuyerErased]:
    """Return nothing where that was done already."""
    return [] if purchase.is_erased else [BuyerErased(**stamp.on(purchase.id, purchase.version + 1))]


def evolve(purchase: Purchase | None, event: DomainEvent) -> Purchase | None:
    if isinstance(event, PurchaseCreated):
        return _born(event)
    if purchase is None:
        return None
    purchase = replace(purchase, version=event.originator_version, updated=event.timestamp)
    match event:
        case EmailSent():
            sent = replace(purchase, email_attempts=event.attempt, email_sent_at=event.timestamp, email_error=None)
            return _settled(sent, "sent", event)
        case EmailFailed(due=None):
            return _settled(replace(purchase, email_attempts=event.attempt, email_error=event.reason), "failed", event)
        case EmailFailed():
            return replace(purchase, email_attempts=event.attempt, email_error=event.reason, email_due=event.due)
        case EmailRequested():
            return _asked_again(purchase, event)
        case PurchaseRevoked():
            return replace(purchase, is_revoked=True)
        case PurchaseRestored():
            return replace(purchase, is_revoked=False)
        case DownloadOpened():
            return replace(purchase, download_count=purchase.download_count + 1)
        case BuyerErased():
            status: EmailStatus = "sent" if purchase.email_sent_at else "failed"
            return replace(
                purchase,
                is_erased=True,
                mails_settled=purchase.mails_requested,
                email_due=None,
                email_status=status if purchase.email_status == "pending" else purchase.email_status,
            )
    return purchase


def _born(event: PurchaseCreated) -> Purchase:
    at = event.timestamp
    return Purchase(
        id=event.originator_id,
        organization=event.organization,
        version=event.originator_version,
        product=event.product,
        title=event.title,
        type=event.type,
        buyer=event.buyer,
        external_order_id=event.external_order_id,
        max_downloads=event.max_downloads,
        expires_at=event.expires_at,
        assets=event.assets,
        token_digest=event.token_digest,
        email_requested_at=at,
        email_due=at,
        created=at,
        updated=at,
    )


def _settled(purchase: Purchase, status: EmailStatus, event: EmailSent | EmailFailed) -> Purchase:
    """The mail is over. One that was asked for meanwhile is next, at once, with a day and attempts of its own."""
    if event.number < purchase.mails_requested:
        return replace(
            purchase,
            mails_settled=event.number,
            email_attempts=0,
            email_due=event.timestamp,
            email_requested_at=event.timestamp,
        )
    return replace(purchase, mails_settled=event.number, email_status=status, email_due=None)


def _asked_again(purchase: Purchase, event: EmailRequested) -> Purchase:
    is_idle = purchase.mails_settled == purchase.mails_requested
    again = replace(
        purchase,
        mails_requested=purchase.mails_requested + 1,
        email_status="pending",
        email_due=event.timestamp,
        resent=(*purchase.resent, event.timestamp)[-mails.RESENDS :],
    )
    if not is_idle:
        return again
    return replace(again, email_attempts=0, email_error=None, email_requested_at=event.timestamp)


def fold(events: Iterable[DomainEvent]) -> Purchase | None:
    purchase: Purchase | None = None
    for event in events:
        purchase = evolve(purchase, event)
    return purchase
