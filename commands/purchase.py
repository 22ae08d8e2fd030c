"""Commands about purchases: fulfilling them, writing to their buyers, taking them back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands import children
from commands.children import hold
from commands.mail_address import address_key, deliverable
from commands.save import Claim, Saved
from commands.work import Work, change, refuse
from domain import ids
from domain.asset.asset import PHYSICAL, Asset
from domain.errors import NotFound, Taken
from domain.event import Change, Step
from domain.fields import FieldError
from domain.product import product as products
from domain.product.product import Product
from domain.purchase import purchase as purchases
from domain.purchase.events import PurchaseEvent, SoldAsset
from domain.purchase.purchase import Purchase
from domain.reference_fields import no_object

ORDER_CLAIM = "order"
OF_PHYSICAL = "Physical products cannot be fulfilled digitally."
WITHOUT_ASSETS = "This product has no digital assets."
DROPPED = "It was dropped."
NOT_IN_FUTURE = "Ensure this value is in the future."


class Fulfill(Struct, frozen=True, kw_only=True):
    """Sell a product's files to somebody. `product` and `email` are None where the form found something wrong with
    them; `errors` is all that it found wrong. `token_digest` is that of the link's token."""

    id: UUID
    product: UUID | None
    email: str | None
    token_digest: bytes
    name: str | None = None
    external_order_id: str | None = None
    max_downloads: int | None = None
    expires_at: datetime | None = None
    errors: Mapping[str, Any] = {}

    @property
    def subject(self) -> None:
        return None


class _AboutPurchase(Struct, frozen=True, kw_only=True):
    id: UUID

    @property
    def subject(self) -> UUID:
        return self.id


class ResendMail(_AboutPurchase, frozen=True, kw_only=True):
    """Owe the buyer the mail once more."""


class NoteMailSent(_AboutPurchase, frozen=True, kw_only=True):
    """The mail server has taken over mail `number`."""

    number: int


class NoteMailFailed(_AboutPurchase, frozen=True, kw_only=True):
    """An attempt at mail `number` failed, for good where it `is_final`; `jitter` is from 0 to 1."""

    number: int
    reason: str
    is_final: bool
    jitter: float


class RevokePurchase(_AboutPurchase, frozen=True, kw_only=True):
    pass


class RestorePurchase(_AboutPurchase, frozen=True, kw_only=True):
    pass


class EraseBuyer(_AboutPurchase, frozen=True, kw_only=True):
    """Forget who bought; the purchase stays."""


def fulfill(command: Fulfill, work: Work) -> Saved:
    """The answer's document is the purchase's, that of the first one where the order was fulfilled before: then its
    id is not the command's. Raises Invalid."""
    order = command.external_order_id or None
    if order and not command.errors and (first := _fulfilled(order, work)) is not None:
        return first
    product, assets, wrong = _sold(command.product, work)
    refuse(command.errors, wrong, _wrong_address(command.email), _wrong_expiry(command.expires_at, work))
    assert product is not None
    assert command.email is not None
    buyer = work.new_id()
    event = purchases.create(
        command.id,
        work.stamp,
        product=product.id,
        title=product.title,
        type=product.type,
        buyer=buyer,
        assets=[_as_sold(asset) for asset in assets],
        token_digest=command.token_digest,
        external_order_id=order,
        max_downloads=command.max_downloads,
        expires_at=command.expires_at,
    )
    organization = work.context.organization
    person = (buyer, organization, command.email, address_key(command.email), command.name or None)
    steps = [
        hold(product.id),
        Step("sell_assets(%b, %b::uuid[])", (command.id, [asset.id for asset in assets])),
        Step("put_buyer(%b, %b, %s, %s, %s)", person),
    ]
    claims = [Claim(organization, ORDER_CLAIM, order, command.id)] if order else []
    try:
        made = change(command.id, None, [event], purchases.evolve)
        return work.save([made], subject=command.id, claims=claims, steps=steps)
    except Taken:
        # A twin was faster; its transaction is over.
        first = _fulfilled(order, work) if order else None
        if first is None:
            raise
        return first


def _fulfilled(order: str, work: Work) -> Saved | None:
    """Return the answer with what fulfilled the order; None where nothing did."""
    found = work.store.holders(work.context.organization, ORDER_CLAIM, [order]).get(order)
    if found is None:
        return None
    if work.receipt is not None:
        work = work._replace(receipt=work.receipt._replace(status=200, headers="{}"))
    purchase = work.load(found, purchases.fold)
    return work.save([Change(purchase.id, purchase, [], purchase)], subject=purchase.id)


def _sold(id: UUID | None, work: Work) -> tuple[Product | None, Sequence[Asset], dict[str, list[str]]]:
    """Return the product with its assets, the primary one first, or what is wrong with a reference to it."""
    if id is None:
        return None, (), {}
    try:
        product = work.load(id, products.fold)
    except NotFound:
        return None, (), {"product_uid": [no_object(ids.uid(ids.PRODUCT, id))]}
    if product.type == PHYSICAL:
        return product, (), {"product_uid": [OF_PHYSICAL]}
    assets = children.assets(children.family(id, work).assets, work)
    if not assets:
        return product, (), {"product_uid": [WITHOUT_ASSETS]}
    return product, sorted(assets, key=lambda asset: (not asset.is_primary, asset.created, asset.id)), {}


def _wrong_address(email: str | None) -> dict[str, Any]:
    try:
        if email is not None:
            deliverable(email)
    except FieldError as error:
        return {"buyer_email": error.messages}
    return {}


def _wrong_expiry(at: datetime | None, work: Work) -> dict[str, list[str]]:
    return {"expires_at": [NOT_IN_FUTURE]} if at is not None and at <= work.now else {}


_AS_SOLD = attrgetter(*SoldAsset.__struct_fields__)


def _as_sold(asset: Asset) -> SoldAsset:
    return SoldAsset(*_AS_SOLD(asset))


def resend(command: ResendMail, work: Work) -> Saved:
    """Raises NotFound, Revoked, BuyerGone, TooManyMails."""
    purchase = _load(command, work)
    return _save(work, purchase, [purchases.request_email(purchase, work.stamp)])


def note_sent(command: NoteMailSent, work: Work) -> Saved:
    """Raises NotFound, Superseded."""
    purchase = _load(command, work)
    return _save(work, purchase, [purchases.email_sent(purchase, command.number, work.stamp)])


def note_failed(command: NoteMailFailed, work: Work) -> Saved:
    """Raises NotFound, Superseded."""
    purchase = _load(command, work)
    event = purchases.email_failed(
        purchase, command.number, command.reason, work.stamp, is_final=command.is_final, jitter=command.jitter
    )
    return _save(work, purchase, [event])


def revoke(command: RevokePurchase, work: Work) -> Saved:
    """Raises NotFound. One that is revoked already stays so."""
    purchase = _load(command, work)
    return _save(work, purchase, purchases.revoke(purchase, work.stamp))


def restore(command: RestorePurchase, work: Work) -> Saved:
    """Raises NotFound. One that is not revoked stays so."""
    purchase = _load(command, work)
    return _save(work, purchase, purchases.restore(purchase, work.stamp))


def erase_buyer(command: EraseBuyer, work: Work) -> Saved:
    """Raises NotFound."""
    purchase = _load(command, work)
    step = Step("forget_buyer(%b, %b)", (purchase.id, purchase.buyer))
    return _save(work, purchase, purchases.erase_buyer(purchase, work.stamp), [step])


def dropped(id: UUID, work: Work) -> list[Change]:
    """Return what ends the mails that a purchase owes when somebody drops that work."""
    purchase = work.load(id, purchases.fold)
    events: list[PurchaseEvent] = []
    now: Purchase | None = purchase
    while now is not None and now.owed is not None:
        event = purchases.email_failed(now, now.next_mail, DROPPED, work.stamp, is_final=True, jitter=0)
        events.append(event)
        now = purchases.evolve(now, event)
    return [change(id, purchase, events, purchases.evolve)]


def _load(command: _AboutPurchase, work: Work) -> Purchase:
    return work.load(command.id, purchases.fold)


def _save(work: Work, purchase: Purchase, events: Sequence[PurchaseEvent], steps: Sequence[Step] = ()) -> Saved:
    """Save; the answer's document is the purchase's, also where nothing changed."""
    return work.save([change(purchase.id, purchase, events, purchases.evolve)], subject=purchase.id, steps=steps)


HANDLERS: dict[Any, Any] = {
    Fulfill: fulfill,
    ResendMail: resend,
    NoteMailSent: note_sent,
    NoteMailFailed: note_failed,
    RevokePurchase: revoke,
    RestorePurchase: restore,
    EraseBuyer: erase_buyer,
}
