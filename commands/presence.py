"""Commands about marketplace presences."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from commands.children import PRESENCE, adopt, disown, hold
from commands.delisting import marked_sold
from commands.save import Claim, Saved
from commands.work import Work, change, refuse
from domain.errors import Invalid, NotFound, Taken
from domain.event import Change, Step
from domain.presence import presence as presences
from domain.presence.presence import SOLD, Presence
from domain.presence.prices import Prices, Rating
from domain.product import product as products
from domain.rates import USD

LISTING_CLAIM = "presence"
DUPLICATE = "The fields product, platform, external_listing_id must make a unique set."


class CreatePresence(Struct, frozen=True, kw_only=True):
    """`values` are PresenceCreated's fields by name. `errors` is what a form found wrong with the request already."""

    product: UUID
    values: Mapping[str, Any]
    id: UUID | None = None
    errors: Mapping[str, Any] = {}

    @property
    def subject(self) -> UUID:
        return self.product


class RevisePresence(Struct, frozen=True, kw_only=True):
    """Fields that are not in `values` stay. `errors` is what a form found wrong with the request already."""

    id: UUID
    product: UUID
    values: Mapping[str, Any]
    errors: Mapping[str, Any] = {}

    @property
    def subject(self) -> UUID:
        # Its product, as for all that writes to one family: they take turns instead of refusing each other.
        return self.product


class ReconvertPresence(Struct, frozen=True):
    """Tell its price in USD by the newest rate, where that is computed."""

    id: UUID
    product: UUID

    @property
    def subject(self) -> UUID:
        return self.product


class DeletePresence(Struct, frozen=True):
    id: UUID
    product: UUID

    @property
    def subject(self) -> UUID:
        return self.product


def create(command: CreatePresence, work: Work) -> Saved:
    """The answer's document is the presence's. Raises NotFound for the product, Invalid."""
    product = work.load(command.product, products.fold)
    refuse(command.errors)
    id = command.id or work.new_id()
    [number] = work.store.next_presence_numbers(1)
    event = presences.create(id, product.id, number, command.values, work.stamp, _rating(command.values, USD, work))
    made = change(id, None, [event], presences.evolve)
    return _save(work, made, [hold(product.id), adopt(product.id, id, PRESENCE)])


def revise(command: RevisePresence, work: Work) -> Saved:
    """Raises NotFound, Invalid. What holds already makes no event."""
    presence = _load(command, work)
    refuse(command.errors)
    rating = _rating(command.values, presence.listing_currency, work)
    events = presences.revise(presence, command.values, work.stamp, rating)
    if not events:
        return work.save([])
    made = change(presence.id, presence, events, presences.evolve)
    if presence.status != SOLD and made.after.status == SOLD:
        held = marked_sold(made.after.organization, presence.product, None, presence.id, work)
        return _save(work, made, held)
    return _save(work, made, [hold(presence.product)])


def reconvert(command: ReconvertPresence, work: Work) -> Saved:
    """Raises NotFound."""
    presence = _load(command, work)
    events = presences.reconvert(presence, work.stamp, work.rating(presence.listing_currency))
    if not events:
        return work.save([])
    return _save(work, change(presence.id, presence, events, presences.evolve), [hold(presence.product)])


def _rating(values: Mapping[str, Any], currency: str, work: Work) -> Rating | None:
    """Return what the price in USD is computed by, where the values may have it computed."""
    currency = values.get("listing_currency", currency)
    is_about_prices = any(name in values for name in Prices._fields)
    return work.rating(currency) if is_about_prices and currency != USD else None


def delete(command: DeletePresence, work: Work) -> Saved:
    """Raises NotFound. Its listing may be another presence's from now on."""
    presence = _load(command, work)
    gone = change(presence.id, presence, [presences.delete(presence, work.stamp)], presences.evolve)
    return work.save([gone], release=[presence.id], steps=[hold(presence.product), *disown([presence.id])])


def _load(command: RevisePresence | ReconvertPresence | DeletePresence, work: Work) -> Presence:
    presence = work.load(command.id, presences.fold)
    if presence.product != command.product:
        raise NotFound
    return presence


def _save(work: Work, step: Change, steps: Sequence[Step]) -> Saved:
    """Save with the claim to the listing, which moves with it. Raises Invalid where another presence has it."""
    before: Presence | None = step.before
    after: Presence = step.after
    held = before.listing if before else None
    moved = after.listing != held
    claims = [Claim(after.organization, LISTING_CLAIM, after.listing, after.id)] if moved and after.listing else []
    release = [after.id] if moved and held else []
    try:
        return work.save([step], subject=after.id, claims=claims, release=release, steps=steps)
    except Taken:
        raise Invalid({"non_field_errors": [DUPLICATE]}) from None


HANDLERS: dict[Any, Any] = {
    CreatePresence: create,
    RevisePresence: revise,
    ReconvertPresence: reconvert,
    DeletePresence: delete,
}
