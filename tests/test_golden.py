"""Events as they were ever written are read, and no form changes under what the log already has."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import psycopg
import pytest
from msgspec import UNSET, Struct, UnsetType
from uuid_utils.compat import uuid7

from commands.bus import Bus
from commands.store import Store
from domain.event import DomainEvent
from domain.product.events import ProductRevised
from domain.product.product import fold
from domain.vocabulary import DECODERS, EVENTS, Upcast, decoders, name, topics, version
from projections.inline import inline_projections
from projections.rebuild import rebuild
from projections.terms import NOUNS
from tests.golden import record
from tests.golden.shapes import problems, samples, shapes, unrecorded
from tests.scenario import NOW, STAMP
from tests.shop import Shop

ADVICE = "A changed meaning is a new topic, see docs/upcasting.md; what is new is recorded by python -m tests.golden"


def test_no_form_of_an_event_changed() -> None:
    assert record.wrong() == [], ADVICE


def test_every_event_and_every_field_of_it_is_recorded() -> None:
    assert record.missing() == [], ADVICE
    assert {line["topic"] for line in record.lines()} >= EVENTS.keys(), ADVICE


@pytest.mark.parametrize("line", record.lines(), ids=lambda line: line["topic"])
def test_every_event_ever_written_is_read_as_it_was(line: record.Line) -> None:
    reads = record.read(line)
    # A field that came later has its default.
    assert {field: reads.get(field) for field in line["reads"]} == line["reads"], ADVICE
    assert reads["topic"] in EVENTS


def test_streams_of_every_event_ever_written_are_folded() -> None:
    events = {line["topic"]: DECODERS[line["topic"]](msgspec.json.encode(line["state"])) for line in record.lines()}
    folded = 0
    for kind, noun in NOUNS.items():
        if noun.evolve is None:
            continue
        [birth] = [topic for topic in events if name(topic) == f"{kind}.created" and version(topic) == 1]
        for topic, event in events.items():
            if topic.startswith(f"{kind}."):
                state = noun.evolve(noun.evolve(None, events[birth]), event)
                assert (state is None) is topic.endswith(".deleted.v1"), topic
                folded += 1
    assert folded > 10


class Part(Struct, frozen=True):
    name: str


class Pressed(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "record.pressed.v1"

    part: Part
    sides: int = 2
    weight: Decimal | UnsetType | None = UNSET


def changed(**fields: tuple[Any, Any]) -> dict[str, dict[str, str]]:
    """Return the shapes of Pressed with some fields of other types and defaults; a type None takes one away."""
    own: dict[str, tuple[Any, Any]] = {"part": (Part, ...), "sides": (int, 2), "weight": (Decimal | None, UNSET)}
    own.update(fields)
    made = msgspec.defstruct(
        "Pressed",
        [(field, kind) if default is ... else (field, kind, default) for field, (kind, default) in own.items() if kind],
        bases=(DomainEvent,),
        namespace={"TOPIC": Pressed.TOPIC},
        kw_only=True,
        frozen=True,
    )
    return shapes(made)


def test_what_a_form_is_made_of_is_told() -> None:
    assert shapes(Pressed)["record.pressed.v1"] == {
        "originator_id": "uuid",
        "originator_version": "integer",
        "timestamp": "time",
        "organization": "uuid",
        "actor": "text",
        "correlation_id": "text",
        "part": "Part",
        "sides": "integer = 2",
        "weight": "decimal | null = unset",
    }
    assert shapes(Pressed)["Part"] == {"name": "text"}
    most, least = samples(Pressed)
    assert (most["weight"], most["part"]) == ("12.50", {"name": "Text"})
    assert "sides" not in least
    assert list(problems(shapes(Pressed), changed(), read=frozenset())) == []


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"sides": (None, None)}, "record.pressed.v1.sides is gone"),
        ({"sides": (str, 2)}, "record.pressed.v1.sides was 'integer = 2' and is 'text = 2'"),
        ({"sides": (int, 1)}, "record.pressed.v1.sides was 'integer = 2' and is 'integer = 1'"),
        ({"sides": (int, ...)}, "record.pressed.v1.sides was 'integer = 2' and is 'integer'"),
        ({"speed": (int, ...)}, "record.pressed.v1.speed is new and has no default"),
        (
            {"part": (msgspec.defstruct("Part", [("name", str), ("number", int)]), ...)},
            "Part.number is new and has no default",
        ),
    ],
)
def test_a_form_that_changed_is_noticed(fields: dict[str, tuple[Any, Any]], problem: str) -> None:
    assert list(problems(shapes(Pressed), changed(**fields), read=frozenset())) == [problem]


def test_what_has_come_with_a_default_is_only_to_be_recorded() -> None:
    with_speed = changed(speed=(int, 33))
    assert list(problems(shapes(Pressed), with_speed, read=frozenset())) == []
    assert unrecorded(shapes(Pressed), with_speed) == ["record.pressed.v1.speed"]
    assert unrecorded({}, shapes(Pressed)) == ["Part", "record.pressed.v1"]
    [gone] = problems(shapes(Part), {}, read=frozenset())
    assert gone == "Part is gone, and the log may have it"
    assert list(problems(shapes(Pressed), {}, read=frozenset({Pressed.TOPIC, "Part"}))) == []


class PressedV2(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "record.pressed.v2"

    part_name: str


class PressedV3(DomainEvent, frozen=True, kw_only=True, omit_defaults=True):
    TOPIC: ClassVar[str] = "record.pressed.v3"

    part_names: tuple[str, ...]


def base(event: DomainEvent) -> dict[str, Any]:
    return {field: getattr(event, field) for field in DomainEvent.__struct_fields__}


UPCASTS = {
    "record.pressed.v1": Upcast(Pressed, lambda old: PressedV2(**base(old), part_name=old.part.name)),
    "record.pressed.v2": Upcast(PressedV2, lambda old: PressedV3(**base(old), part_names=(old.part_name,))),
}


def test_an_event_of_an_older_version_is_read_as_what_it_is_called_today() -> None:
    id = uuid7()
    read = decoders({PressedV3.TOPIC: PressedV3}, UPCASTS)
    today = PressedV3(**STAMP.on(id, 1), part_names=("a",))
    for event in (Pressed(**STAMP.on(id, 1), part=Part("a")), PressedV2(**STAMP.on(id, 1), part_name="a"), today):
        assert read[event.TOPIC](msgspec.json.encode(event)) == today
    with pytest.raises(msgspec.MsgspecError):
        read["record.pressed.v1"](b"{}")
    assert topics("product.created") == ["product.created.v1"]


class Titled(DomainEvent, frozen=True, kw_only=True):
    """As if titles had once had an event of their own."""

    TOPIC: ClassVar[str] = "product.titled.v1"

    words: tuple[str, ...]


@pytest.fixture
def bus(database_url: str) -> Iterator[Bus]:
    store = Store(database_url, inline_projections())
    yield Bus(store)
    store.close()


def test_the_log_is_read_through_upcasts_everywhere(
    bus: Bus, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upcast = Upcast(Titled, lambda old: ProductRevised(**base(old), title=" ".join(old.words)))
    monkeypatch.setitem(DECODERS, Titled.TOPIC, decoders(EVENTS, {Titled.TOPIC: upcast})[Titled.TOPIC])
    id: UUID = Shop(bus).product(title="Before", type="physical")
    old = Titled(**STAMP.on(id, 2), words=("Abbey", "Road"))
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT append_event(%s, 2, %s, %s)", [id, Titled.TOPIC, msgspec.json.encode(old)])
    product = bus.store.load(id, fold)
    assert product is not None
    assert (product.title, product.version, product.updated) == ("Abbey Road", 2, NOW)
    rebuild(database_url, processes=1)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT title_key FROM product_list").fetchall() == [("abbey road",)]
