"""The purchases' read model: `purchase_list`, one row a purchase with its state and its finished document."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from domain.event import Change, Projected, Step
from domain.purchase.purchase import Purchase
from projections.base import Reader, queries
from projections.purchase_document import Buyer, purchase_document

KIND = "mail"
"""What `todo` calls a purchase whose buyer is to be written to."""
_SQL = queries("purchase")
_STATE = msgspec.json.Decoder(Purchase)

COLUMNS = (
    "id",
    "organization",
    "revision",
    "product",
    "buyer",
    "status",
    "created",
    "token_digest",
    "state",
    "document",
)
PUT = "put_purchase(%b, %b, %b::bigint, %b, %b, %s, %b, %b, %s, %s)"


class Row(NamedTuple):
    """One purchase's answer, with who bought."""

    document: str
    revision: int


def purchase_row(purchase: Purchase) -> tuple[Any, ...]:
    """Return the values of COLUMNS. The one place that says what a purchase looks like in the table."""
    return (
        purchase.id,
        purchase.organization,
        purchase.version,
        purchase.product,
        purchase.buyer,
        purchase.status,
        purchase.created,
        purchase.token_digest,
        msgspec.json.encode(purchase).decode(),
        purchase_document(purchase),
    )


class PurchasesProjection:
    """Keeps `purchase_list`, and in `todo` the purchases whose mail is owed."""

    def project(self, changes: Sequence[Change]) -> Projected:
        steps: list[Step] = []
        documents: dict[UUID, str] = {}
        for change in changes:
            if not isinstance(state := change.after, Purchase):
                continue
            row = purchase_row(state)
            documents[state.id] = row[-1]
            if not change.events:
                continue
            steps.append(Step(PUT, row))
            before = change.before.owed if change.before is not None else None
            if state.owed is None:
                if before is not None:
                    steps.append(Step("owe_no_more(%b)", (state.id,)))
            elif state.owed != before:
                steps.append(Step("owe(%b, %b, %s, %b)", (state.id, state.organization, KIND, state.owed)))
        return Projected(steps, documents)


async def detail(reader: Reader, organization: UUID, id: UUID) -> Row | None:
    """Return one purchase; None where the organization has no such purchase."""
    found = await reader.row(_SQL["detail"], [id, organization])
    return None if found is None else Row(*found)


async def buyer_of(reader: Reader, id: UUID) -> Buyer:
    """Return who bought."""
    found = await reader.row(_SQL["buyer_of"], [id])
    return Buyer(None, None) if found is None else Buyer(*found)


async def by_token(reader: Reader, digest: bytes) -> Purchase | None:
    """Return the purchase that a download link's token leads to, by the token's digest; None for no such token."""
    found = await reader.row(_SQL["by_token"], [digest])
    return None if found is None else _STATE.decode(found[0])


async def bought(reader: Reader, buyer: str, organization: UUID | None) -> list[tuple[UUID, UUID]]:
    """Return the purchases of an address as it is compared, from all organizations for None, each with its own."""
    rows = await reader.rows(_SQL["bought"], {"buyer": buyer, "organization": organization})
    return [(id, of) for id, of in rows]


async def failed(reader: Reader, organization: UUID | None) -> list[tuple[UUID, UUID]]:
    """Return the purchases whose mail was given up, as `bought` does, oldest first."""
    rows = await reader.rows(_SQL["failed"], {"organization": organization})
    return [(id, of) for id, of in rows]
