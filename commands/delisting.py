"""What is sold elsewhere ends: the other listings of a product of which nothing is left to sell."""

from collections.abc import Sequence
from uuid import UUID

from commands import children
from commands.activity import activity_step
from commands.children import hold
from commands.work import Work
from domain.connection.activity import Activity
from domain.event import Step
from domain.presence import presence as presences
from domain.presence.presence import Presence
from domain.presence.selling import sellable

BY_HAND = ""
"""What `listing` has for an order where none is known: a client said that it is sold."""


def because(order: str | None) -> str:
    """Return why listings end. Without an order a client marked as sold what they sell."""
    return "Its copy was marked as sold here." if order is None else f"Its copy was sold with order {order}."


def ended(
    organization: UUID, siblings: Sequence[Presence], order: str | None, work: Work, teller: UUID | None = None
) -> tuple[list[Step], list[Activity]]:
    """Return what ends the siblings, and what tells of those that are to be ended by hand.

    `teller` is the connection that is told of them; None for that of each, those without one left out.
    """
    if not siblings:
        return [], []
    known = work.store.listings(organization, [one.id for one in siblings])
    ending = sorted(one.id for one in siblings if one.id in known and known[one.id].can_end)
    by_hand = [
        Activity(
            connection=connection,
            action="end",
            outcome="skipped",
            message=f"{because(order)[:-1]}: end it by hand.",
            presence=one.id,
            product=one.product,
        )
        for one in siblings
        # A draft is nowhere to be bought.
        if one.id not in ending
        and one.status != "draft"
        and (connection := teller or (known[one.id].connection if one.id in known else None)) is not None
    ]
    cause = BY_HAND if order is None else order
    return [Step("want_ends(%b, %s, %b)", (ending, cause, work.now))] if ending else [], by_hand


def marked_sold(organization: UUID, product: UUID, version: int | None, sold: UUID, work: Work) -> list[Step]:
    """Return what holds a product of which a client marked an item or a presence as sold, at `version` where that is
    given, and ends its other listings where that was the last copy. Raises Conflict.
    """
    family = children.family(product, work)
    items = [item for item in children.items(family.items, work) if item.id != sold]
    # Who marks the other copy at the same time decides again: one of them is the last.
    held = hold(product, version, family.revision)
    if sellable(items):
        return [held]
    streams = work.store.load_all([id for id in family.presences if id != sold])
    found = [presences.fold(events) for events in streams.values()]
    steps, entries = ended(organization, [one for one in found if one is not None and not one.is_over], None, work)
    if entries:
        steps.append(activity_step(organization, work.now, entries))
    return [held, *steps]


def taken_back(product: UUID) -> Step:
    """A copy is for sale again: what is to end because a client said that it was sold is not to, any more."""
    return Step("forget_ends_by_hand(%b)", (product,))
