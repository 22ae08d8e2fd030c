"""The steps of a save that are the log's own: calls of the functions that append, claim and bind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

from commands.recorder import StoredEvent
from commands.save import Claim, Receipt
from domain.event import Step


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def claim_step(claims: Sequence[Claim]) -> Step:
    # Sorted, so that two batches that claim the same values cannot wait for each other.
    return Step("take_claims(%b, %b::text[], %b::text[], %b)", _columns(sorted(claims)))


def receipt_steps(receipts: Sequence[Receipt], documents: Mapping[UUID, str]) -> Iterator[Step]:
    whole = []
    for receipt in sorted(receipts, key=itemgetter(0, 1)):
        if receipt.parts:
            call = "bind_composed_receipt(%b, %s, %b, %b::smallint, %s, %b::text[], %b::uuid[])"
            yield Step(call, (*receipt[:5], *_columns(receipt.parts)))
        elif receipt.subject is not None and receipt.subject not in documents:
            # A product that may have items and presences: its document is whole in the database alone.
            yield Step("bind_product_receipt(%b, %s, %b, %b::smallint, %s, %b)", receipt[:6])
        else:
            whole.append((*receipt[:5], receipt.body if receipt.subject is None else documents[receipt.subject]))
    if len(whole) == 1:
        yield Step("bind_receipt(%b, %s, %b, %b::smallint, %s, %s)", whole[0])
    elif whole:
        yield Step("bind_receipts(%b, %b::text[], %b, %b::smallint[], %b::text[], %b::text[])", _columns(whole))


def append_step(stored: Sequence[StoredEvent]) -> Step:
    rows = [(e.originator_id, e.originator_version, e.topic, e.state) for e in stored]
    if len(rows) == 1:
        return Step("append_event(%b, %b, %b, %b)", rows[0])
    return Step("append_events(%b, %b::bigint[], %b::text[], %b)", _columns(rows))
