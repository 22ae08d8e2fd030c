from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import msgspec
import pytest

from commands.tokens import digest_of, download_token
from domain.errors import NotFound
from domain.event import DomainEvent, Stamp
from domain.purchase import mails
from domain.purchase import purchase as purchases
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
from domain.purchase.purchase import Purchase, fold
from domain.vocabulary import EVENTS
from tests.scenario import NOW, STAMP, scenario

ID, PRODUCT, BUYER = (UUID(f"01a20000-0000-7000-8000-0000000000{n}") for n in ("c1", "c2", "c3"))
ASSET, DOWNLOAD = UUID("01a20000-0000-7000-8000-0000000000c4"), UUID("01a20000-0000-7000-8000-0000000000c5")
SOLD = SoldAsset(ASSET, "o/assets/t/file", "Album.zip", None, "application/zip", 12)

given = scenario(purchases.evolve)


def created(**values: Any) -> PurchaseCreated:
    facts: dict[str, Any] = {"product": PRODUCT, "title": "Abbey Road", "type": "digital", "buyer": BUYER}
    return purchases.create(ID, STAMP, **facts, assets=[SOLD], token_digest=b"digest", **values)


def later(**time: float) -> Stamp:
    return STAMP._replace(timestamp=NOW + timedelta(**time))


def history(*decisions: Any, start: PurchaseCreated | None = None) -> list[DomainEvent]:
    """Return the events of decisions made one after the other, each on the state the ones before it left."""
    events: list[DomainEvent] = [start or created()]
    for decide in decisions:
        made = decide(state(events))
        events += made if isinstance(made, list) else [made]
    return events


def state(events: Sequence[DomainEvent]) -> Purchase:
    found = fold(events)
    assert found is not None
    return found


def sent(number: int, stamp: Stamp = STAMP) -> Any:
    return lambda purchase: purchases.email_sent(purchase, number, stamp)


def failed(number: int, stamp: Stamp = STAMP, *, is_final: bool = False) -> Any:
    return lambda purchase: purchases.email_failed(purchase, number, "No.", stamp, is_final=is_final, jitter=1.0)


def asked(stamp: Stamp = STAMP) -> Any:
    return lambda purchase: purchases.request_email(purchase, stamp)


def revoked(purchase: Purchase) -> Any:
    return purchases.revoke(purchase, STAMP)


def restored(purchase: Purchase) -> Any:
    return purchases.restore(purchase, STAMP)


def erased(purchase: Purchase) -> Any:
    return purchases.erase_buyer(purchase, STAMP)


def opened(now: datetime = NOW) -> Any:
    return lambda purchase: purchases.open_download(purchase, ASSET, DOWNLOAD, now, STAMP)


def test_a_new_purchase_owes_its_first_mail_at_once() -> None:
    purchase = state([created()])
    assert (purchase.status, purchase.owed, purchase.next_mail) == ("pending", NOW, 1)


def test_a_mail_that_was_sent_is_owed_no_more() -> None:
    given(created()).when(sent(1)).then(
        EmailSent, status="sent", owed=None, email_attempts=1, email_sent_at=NOW, email_error=None
    )


def test_a_mail_that_was_sent_is_not_sent_again() -> None:
    with pytest.raises(Superseded):
        given(*history(sent(1))).when(sent(1))


def test_a_mail_that_failed_for_now_is_owed_later_and_says_why() -> None:
    due = NOW + timedelta(seconds=mails.FIRST_PAUSE_SECONDS)
    given(created()).when(failed(1)).then(EmailFailed, status="pending", owed=due, email_attempts=1, email_error="No.")


def test_a_mail_that_failed_for_good_ends_it_visibly() -> None:
    given(created()).when(failed(1, is_final=True)).then(
        EmailFailed, status="failed", owed=None, email_attempts=1, email_error="No."
    )


def test_a_mail_is_tried_for_a_day_with_pauses_that_grow_and_then_given_up() -> None:
    events: list[DomainEvent] = [created()]
    times = []
    while (due := state(events).owed) is not None:
        times.append(due)
        events = [*events, failed(1, STAMP._replace(timestamp=due))(state(events))]
    pauses = [after - before for before, after in pairwise(times)]
    assert state(events).status == "failed"
    assert pauses == sorted(pauses)
    assert times[-1] <= NOW + timedelta(days=1) < times[-1] + pauses[-1]
    assert pauses[-1] == timedelta(hours=1)


def test_jitter_takes_up_to_half_of_a_pause() -> None:
    full = mails.next_attempt(3, NOW, NOW, 1.0)
    half = mails.next_attempt(3, NOW, NOW, 0.0)
    assert full is not None
    assert half is not None
    assert full - NOW == 2 * (half - NOW)


def test_a_mail_asked_for_once_more_has_a_number_and_attempts_of_its_own() -> None:
    at = later(hours=30)
    given(*history(failed(1, is_final=True))).when(asked(at)).then(
        EmailRequested, status="pending", owed=at.timestamp, next_mail=2, email_attempts=0, email_error=None
    )


def test_two_mails_that_are_owed_are_sent_one_after_the_other() -> None:
    events = history(asked())
    after_first = state([*events, sent(1)(state(events))])
    assert (after_first.status, after_first.next_mail) == ("pending", 2)
    assert after_first.owed is not None
    given(*events, sent(1)(state(events))).when(sent(2)).then(EmailSent, status="sent", owed=None)


def test_the_sixth_mail_within_an_hour_has_to_wait() -> None:
    events = history(*(asked(later(minutes=n)) for n in range(5)))
    with pytest.raises(TooManyMails) as refused:
        given(*events).when(asked(later(minutes=5)))
    assert refused.value.seconds == 55 * 60
    given(*events).when(asked(later(hours=1))).then(EmailRequested, mails_requested=7)


def test_a_revoked_purchase_owes_no_mail_and_is_sent_none() -> None:
    given(created()).when(revoked).then(PurchaseRevoked, status="revoked", owed=None)
    with pytest.raises(Revoked):
        given(*history(revoked)).when(asked())


def test_a_restored_purchase_owes_the_mail_that_it_owed_before() -> None:
    given(*history(revoked)).when(restored).then(PurchaseRestored, status="pending", owed=NOW)
    given(*history(sent(1), revoked)).when(restored).then(PurchaseRestored, status="sent", owed=None)


def test_to_revoke_or_restore_twice_makes_no_second_event() -> None:
    given(*history(revoked)).when(revoked).then()
    given(created()).when(restored).then()


def test_a_mail_whose_server_took_it_counts_also_where_the_purchase_was_revoked_meanwhile() -> None:
    given(*history(revoked)).when(sent(1)).then(EmailSent, status="revoked", email_status="sent", owed=None)


def test_a_download_counts() -> None:
    given(created()).when(opened()).then(DownloadOpened, download_count=1)


@pytest.mark.parametrize(
    ("events", "error"),
    [
        (history(revoked), Revoked),
        (history(start=created(expires_at=NOW)), Expired),
        (history(opened(), start=created(max_downloads=1)), UsedUp),
    ],
)
def test_a_download_is_refused_for_a_reason(events: list[DomainEvent], error: type[Exception]) -> None:
    with pytest.raises(error):
        given(*events).when(opened())


def test_what_was_not_sold_is_not_downloaded() -> None:
    with pytest.raises(NotFound):
        purchases.open_download(state([created()]), PRODUCT, DOWNLOAD, NOW, STAMP)


def test_a_purchase_without_its_buyer_is_mailed_no_more_and_downloaded_still() -> None:
    given(created()).when(erased).then(BuyerErased, status="failed", owed=None)
    given(*history(sent(1), asked())).when(erased).then(BuyerErased, status="sent", owed=None)
    given(*history(erased)).when(erased).then()
    given(*history(erased)).when(opened()).then(DownloadOpened, download_count=1)
    with pytest.raises(BuyerGone):
        given(*history(erased)).when(asked())
    with pytest.raises(Superseded):
        given(*history(erased)).when(sent(1))


def test_events_come_back_from_the_log_as_they_went_in() -> None:
    events = history(
        failed(1), sent(1), asked(), failed(2, is_final=True), opened(), revoked, restored, erased,
        start=created(external_order_id="7", max_downloads=3, expires_at=NOW + timedelta(days=1)),
    )  # fmt: skip
    stored = [(event.TOPIC, msgspec.json.encode(event)) for event in events]
    assert fold(msgspec.json.decode(body, type=EVENTS[topic]) for topic, body in stored) == state(events)
    assert {type(event) for event in events} == {
        kind for topic, kind in EVENTS.items() if topic.startswith("purchase.")
    }
    assert [event.originator_version for event in events] == list(range(1, len(events) + 1))


def test_a_token_is_the_same_each_time_and_says_nothing_of_the_purchase() -> None:
    token = download_token("secret", ID)
    assert token == download_token("secret", ID)
    assert len(token) == 24
    assert token not in {download_token("other", ID), download_token("secret", PRODUCT)}
    assert digest_of(token) != digest_of(token + "x")
    assert digest_of("\ud800")
