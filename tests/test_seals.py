"""Everything that can be done to a log behind its back is found, at its exact position."""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from commands.blobs import Blobs
from commands.bus import Bus
from commands.seals.sealer import AnchorsDiffer
from commands.settings import Settings
from commands.store import Store
from domain.errors import NotFound
from projections.inline import inline_projections
from tests.sealing import SealedShop, anchor_file, small_seals
from tests.shop import Shop


@pytest.fixture
def shop(s3: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch) -> SealedShop:
    """A log of some eighty events of streams with one to three events, in seals of eight."""
    small_seals(monkeypatch)
    fill(database_url, 32)
    sealed = SealedShop(replace(s3, database_url=database_url))
    sealed.seal()
    return sealed


def fill(database_url: str, products: int) -> None:
    store = Store(database_url, inline_projections(), pool_size=2)
    shop = Shop(Bus(store))
    for n in range(products):
        id = shop.product(title=f"Album {n}", type="physical")
        if n % 2:
            shop.revise(id, year=str(1950 + n))
        if n % 3:
            shop.item(id, status="received")
        if n % 4 == 3:
            shop.revise(id, title=f"Renamed {n}")
    store.close()


def test_an_untouched_log_is_verified_and_what_came_later_is_counted(shop: SealedShop) -> None:
    count = len(shop.positions())
    found = shop.verify()
    assert (found.faults, found.events, found.unsealed) == ([], count, 0)
    assert found.seals == -(-count // 8) > 8
    assert found.anchored == {"s3": found.seals}
    fill(shop.settings.database_url, 2)
    later = len(shop.positions()) - count
    assert shop.verify().unsealed == later
    assert shop.seal().events == later
    assert (shop.verify().faults, shop.verify().unsealed) == ([], 0)


def test_a_log_without_events_and_one_that_was_never_sealed_are_told_as_that(s3: Settings, database_url: str) -> None:
    shop = SealedShop(replace(s3, database_url=database_url))
    assert shop.seal() == (0, 0)
    fill(database_url, 1)
    found = shop.verify()
    assert (found.seals, found.events, found.unsealed, found.faults) == (0, 0, 1, [])


@pytest.mark.parametrize("index", [0, 1, 7, 8, 40, -2, -1])
def test_a_byte_that_was_changed_is_found(shop: SealedShop, index: int) -> None:
    position = shop.positions()[index]
    with shop.tampered() as cursor:
        cursor.execute(
            "UPDATE events SET state = set_byte(state, 20, get_byte(state, 20) # 1) WHERE notification_id = %s",
            [position],
        )
    assert shop.faults() == [("changed", position)]


@pytest.mark.parametrize("column", ["topic = topic || 'x'", "originator_version = originator_version + 50"])
def test_so_are_another_topic_and_another_version(shop: SealedShop, column: str) -> None:
    position = shop.positions()[11]
    with shop.tampered() as cursor:
        cursor.execute(f"UPDATE events SET {column} WHERE notification_id = %s".encode(), [position])
    assert shop.faults() == [("changed", position)]


@pytest.mark.parametrize("index", [0, 37, -1])
def test_an_event_deleted_at_the_start_in_the_middle_and_at_the_end_is_found(shop: SealedShop, index: int) -> None:
    position = shop.positions()[index]
    with shop.tampered() as cursor:
        cursor.execute("DELETE FROM events WHERE notification_id = %s", [position])
    assert shop.faults()[0] == ("deleted", position)
    assert {found for _, found in shop.faults()} == {position}


def test_a_stream_that_was_deleted_is_named_with_all_its_positions(shop: SealedShop) -> None:
    [(stream, positions)] = shop.rows(
        "SELECT originator_id, array_agg(notification_id ORDER BY 1) FROM events"
        " GROUP BY 1 HAVING count(*) = 3 ORDER BY 1 LIMIT 1"
    )
    with shop.tampered() as cursor:
        cursor.execute("DELETE FROM events WHERE originator_id = %s", [stream])
    faults = shop.verify().faults
    assert {fault.position for fault in faults if fault.kind == "deleted"} == set(positions)
    [whole] = [fault for fault in faults if fault.kind == "stream deleted"]
    assert (whole.stream, sorted(whole.positions)) == (stream, sorted(positions))
    assert f"stream {stream}: deleted whole, positions {positions[0]}" in str(whole)


SWAPS = {
    "positions": "UPDATE events SET notification_id = -%(a)s WHERE notification_id = %(a)s;"
    "UPDATE events SET notification_id = %(a)s WHERE notification_id = %(b)s;"
    "UPDATE events SET notification_id = %(b)s WHERE notification_id = -%(a)s",
    "bodies": "UPDATE events AS e SET state = o.state, topic = o.topic FROM events AS o"
    " WHERE (e.notification_id, o.notification_id) IN ((%(a)s, %(b)s), (%(b)s, %(a)s))",
}


@pytest.mark.parametrize("how", SWAPS)
@pytest.mark.parametrize(("first", "second"), [(3, 4), (5, 60), (50, 51)])
def test_two_that_were_swapped_are_named_both(shop: SealedShop, how: str, first: int, second: int) -> None:
    there = shop.positions()
    a, b = there[first], there[second]
    with shop.tampered() as cursor:
        for statement in SWAPS[how].split(";"):
            cursor.execute(statement.encode(), {"a": a, "b": b})
    faults = shop.verify().faults
    assert [(fault.kind, fault.position, fault.other) for fault in faults] == [("swapped", a, b), ("swapped", b, a)]


def test_two_of_one_stream_whose_versions_were_swapped_are_named_both(shop: SealedShop) -> None:
    [(stream, a, b)] = shop.rows(
        "SELECT originator_id, min(notification_id), max(notification_id) FROM events"
        " GROUP BY 1 HAVING count(*) = 2 ORDER BY 1 LIMIT 1"
    )
    with shop.tampered() as cursor:
        for old, new in ((1, -1), (2, 1), (-1, 2)):
            cursor.execute(
                "UPDATE events SET originator_version = %s WHERE originator_id = %s AND originator_version = %s",
                [new, stream, old],
            )
    assert [(f.kind, f.position, f.other) for f in shop.verify().faults] == [("swapped", a, b), ("swapped", b, a)]


def test_one_whose_time_was_set_back_is_found(shop: SealedShop) -> None:
    position = shop.positions()[30]
    with shop.tampered() as cursor:
        cursor.execute(
            "UPDATE events SET state = convert_to(regexp_replace(convert_from(state, 'UTF8'),"
            " '\"timestamp\":\"20..', '\"timestamp\":\"1999'), 'UTF8') WHERE notification_id = %s",
            [position],
        )
        assert cursor.rowcount == 1
    assert shop.faults() == [("changed", position)]


def test_one_that_was_put_in_among_older_ones_and_one_moved_before_them_are_found(shop: SealedShop) -> None:
    there = shop.positions()
    free, last = 0, there[-1]
    with shop.tampered() as cursor:
        cursor.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state, notification_id)"
            " SELECT gen_random_uuid(), 1, topic, state, %s FROM events WHERE notification_id = %s",
            [free, there[5]],
        )
    assert shop.faults() == [("inserted", free)]
    with shop.tampered() as cursor:
        cursor.execute("DELETE FROM events WHERE notification_id = %s", [free])
        cursor.execute("UPDATE events SET notification_id = -7 WHERE notification_id = %s", [last])
    [fault] = shop.verify().faults
    assert (fault.kind, fault.position, fault.other) == ("moved", last, -7)


def test_a_gap_that_a_refused_write_left_may_not_be_filled_afterwards(shop: SealedShop) -> None:
    with psycopg.connect(shop.settings.database_url) as connection:
        connection.execute("SELECT nextval('events_notification_id_seq')")
    gap = shop.positions()[-1] + 1
    fill(shop.settings.database_url, 2)
    shop.seal()
    assert shop.faults() == []
    with shop.tampered() as cursor:
        cursor.execute(
            "INSERT INTO events (originator_id, originator_version, topic, state, notification_id)"
            " VALUES (gen_random_uuid(), 1, 'product.created.v1', '{}', %s)",
            [gap],
        )
    assert shop.faults() == [("inserted", gap)]


def test_many_changes_at_once_are_each_told(shop: SealedShop) -> None:
    there = shop.positions()
    changed, deleted = there[2::9], there[5::9]
    with shop.tampered() as cursor:
        cursor.execute("UPDATE events SET state = state || ' ' WHERE notification_id = ANY(%s)", [changed])
        cursor.execute("DELETE FROM events WHERE notification_id = ANY(%s)", [deleted])
    faults = shop.faults()
    assert sorted(p or 0 for kind, p in faults if kind == "changed") == changed
    assert sorted(p or 0 for kind, p in faults if kind == "deleted") == deleted


def older(shop: SealedShop) -> tuple[int, int, int]:
    """Bring the database back to where it was some seals ago; return (last position left, last gone, last seal)."""
    with shop.tampered() as cursor:
        cursor.execute("SELECT number, last FROM seal ORDER BY number DESC LIMIT 1")
        top, until = cursor.fetchone() or (0, 0)
        cursor.execute("DELETE FROM seal WHERE number > %s", [top - 3])
        cursor.execute("DELETE FROM seal_anchor WHERE number > %s", [top - 3])
        cursor.execute("SELECT max(last) FROM seal")
        [last] = cursor.fetchone() or (0,)
        cursor.execute("DELETE FROM events WHERE notification_id > %s", [last])
        # The heads as they were then.
        cursor.execute("DELETE FROM seal_head")
    return last, until, top


def test_an_older_backup_is_known_by_what_is_anchored_and_nothing_is_sealed_on_top_of_it(shop: SealedShop) -> None:
    last, until, top = older(shop)
    [fault] = shop.verify().faults
    assert (fault.kind, fault.position, fault.until, fault.seal) == ("rolled back", last + 1, until, top)
    assert f"positions {last + 1} to {until}: gone" in str(fault)
    fill(shop.settings.database_url, 1)
    with pytest.raises(AnchorsDiffer, match="older backup"):
        shop.seal()


def test_an_older_backup_that_was_written_on_is_told_where_it_parts(shop: SealedShop) -> None:
    last, _, _ = older(shop)
    with psycopg.connect(shop.settings.database_url) as connection:
        connection.execute("SELECT setval('events_notification_id_seq', %s)", [last])
    fill(shop.settings.database_url, 1)
    faults = shop.verify().faults
    assert ("changed", last + 1) in [(fault.kind, fault.position) for fault in faults]
    assert [fault.position for fault in faults if fault.kind == "rolled back"] == [shop.positions()[-1] + 1]


def test_seals_that_were_deleted_or_altered_are_told_and_the_anchored_ones_still_tell_positions(
    shop: SealedShop,
) -> None:
    position = shop.positions()[20]
    with shop.tampered() as cursor:
        cursor.execute("DELETE FROM seal WHERE number = 2")
        cursor.execute("UPDATE seal SET leaves = set_byte(leaves, 60, 7) WHERE number = 3")
        cursor.execute(
            "UPDATE seal SET statement = replace(statement, '\"number\":5', '\"number\":50') WHERE number = 5"
        )
        cursor.execute("UPDATE events SET state = state || ' ' WHERE notification_id = %s", [position])
    faults = shop.verify().faults
    assert [(f.kind, f.seal) for f in faults if f.seal] == [
        ("seal missing", 2),
        ("seal altered", 3),
        ("seal altered", 5),
    ]
    assert [f.position for f in faults if f.kind == "changed"] == [position]
    assert [f.kind for f in faults].count("changed") == 1


def test_all_seals_deleted_with_the_events_after_them_leave_the_anchors(shop: SealedShop) -> None:
    there = shop.positions()
    with shop.tampered() as cursor:
        cursor.execute("TRUNCATE seal, seal_anchor, seal_head")
        cursor.execute("DELETE FROM events WHERE notification_id > %s", [there[10]])
    faults = shop.verify().faults
    assert [(f.kind, f.position, f.until) for f in faults] == [("rolled back", there[11], there[-1])]


def test_an_anchor_that_is_gone_or_altered_is_told(shop: SealedShop) -> None:
    blobs, top = Blobs(shop.settings), shop.verify().seals
    name = f"seals/{shop.key.name}/{top:09d}.json"
    content = b"".join(blobs.get(name))
    blobs.delete(name)
    assert [(f.kind, f.seal) for f in shop.verify().faults] == [("anchor missing", top)]

    blobs.put(name, io.BytesIO(content[:-30]), len(content) - 30)
    assert [(f.kind, f.seal) for f in shop.verify().faults] == [("anchor altered", top)]
    blobs.close()


def test_seals_go_into_a_file_too_and_that_alone_is_enough(shop: SealedShop, tmp_path: Path, database_url: str) -> None:
    shop.settings = replace(shop.settings, seal_anchor_file=anchor_file(tmp_path))
    assert shop.seal().anchored == shop.verify().seals
    shop.settings = replace(shop.settings, s3_endpoint_url="")
    last, until, top = older(shop)
    [fault] = shop.verify().faults
    assert (fault.kind, fault.position, fault.until, fault.seal) == ("rolled back", last + 1, until, top)


def test_a_line_of_the_file_that_was_cut_off_is_written_again(shop: SealedShop, tmp_path: Path) -> None:
    path = Path(anchor_file(tmp_path))
    shop.settings = replace(shop.settings, seal_anchor_file=str(path))
    shop.seal()
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with psycopg.connect(shop.settings.database_url) as connection:
        connection.execute("DELETE FROM seal_anchor WHERE place = 'file' AND number = (SELECT max(number) FROM seal)")
    assert shop.seal().anchored == 1
    assert shop.faults() == []


def test_a_seal_of_another_key_is_worth_nothing(shop: SealedShop) -> None:
    forged = SealedShop(shop.settings)
    position = shop.positions()[12]
    with shop.tampered() as cursor:
        cursor.execute("UPDATE events SET state = state || ' ' WHERE notification_id = %s", [position])
    forged.seal()
    with shop.tampered() as cursor:
        cursor.execute("DELETE FROM seal WHERE key = %s", [shop.key.name])
        cursor.execute("UPDATE seal SET key = %s", [shop.key.name])
    faults = shop.verify().faults
    assert {f.kind for f in faults if f.seal} == {"seal altered"}
    assert [f.position for f in faults if f.kind == "changed"] == [position]


def test_several_workers_that_seal_at_once_make_one_chain(s3: Settings, database_url: str, monkeypatch: Any) -> None:
    small_seals(monkeypatch, 3)
    shop = SealedShop(replace(s3, database_url=database_url))
    with ThreadPoolExecutor() as pool:
        writer = pool.submit(fill, database_url, 12)
        while not writer.done():
            for sealing in [pool.submit(shop.seal) for _ in range(3)]:
                sealing.result()
    shop.seal()
    found = shop.verify()
    assert (found.faults, found.unsealed, found.events) == ([], 0, len(shop.positions()))


def test_what_is_sealed_while_it_is_verified_is_no_fault(shop: SealedShop) -> None:
    with ThreadPoolExecutor() as pool:
        writer = pool.submit(fill, shop.settings.database_url, 10)
        while not writer.done():
            shop.seal()
            assert shop.faults() == []


def test_without_the_file_store_seals_wait_and_nothing_is_lost(shop: SealedShop) -> None:
    from domain.errors import Unavailable

    there = shop.settings
    fill(there.database_url, 2)
    shop.settings = replace(there, s3_endpoint_url="http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        shop.seal()
    shop.settings = there
    assert shop.seal().events > 0
    assert shop.faults() == []


@pytest.mark.parametrize(
    "statement", ["UPDATE events SET topic = topic WHERE false", "DELETE FROM events WHERE false", "TRUNCATE events"]
)
def test_the_log_and_its_seals_refuse_every_change_whoever_asks(shop: SealedShop, statement: str) -> None:
    with psycopg.connect(shop.settings.database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stays as it is"):
            connection.execute(statement.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="stays as it is"):
            connection.execute(statement.replace("events", "seal").replace("topic", "key").encode())


def test_no_seal_holds_what_an_event_says(shop: SealedShop) -> None:
    blobs = Blobs(shop.settings)
    kept = b"".join(blobs.get(f"seals/{shop.key.name}/000000001.json"))
    assert b"Album" not in kept
    with pytest.raises(NotFound):
        blobs.get(f"seals/{shop.key.name}/{shop.verify().seals + 1:09d}.json")
    blobs.close()
