"""What was ever released: shapes.json has the form of every event, events.jsonl bodies of each with what they tell."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from domain.event import DomainEvent
from domain.vocabulary import DECODERS, EVENTS, UPCASTS
from tests.golden.shapes import Shape, problems, samples, shapes, told, unrecorded

HERE = Path(__file__).parent
SHAPES, BODIES = HERE / "shapes.json", HERE / "events.jsonl"

Line = dict[str, Any]
"""`topic` and `state` as the log has them, `reads` as what: the topic of today, and everything it tells."""


def recorded() -> dict[str, Shape]:
    found: dict[str, Shape] = json.loads(SHAPES.read_text()) if SHAPES.exists() else {}
    return found


def lines() -> list[Line]:
    return [json.loads(line) for line in BODIES.read_text().splitlines()] if BODIES.exists() else []


def current(events: Mapping[str, type[DomainEvent]] = EVENTS) -> dict[str, Shape]:
    """Return the shapes of all events that are written or read, with what they are made of."""
    forms = {**{topic: upcast.form for topic, upcast in UPCASTS.items()}, **events}
    return {name: shape for form in forms.values() for name, shape in shapes(form).items()}


def wrong() -> list[str]:
    """Return what no new version may do to what there was."""
    return list(problems(recorded(), current(), read=frozenset(DECODERS)))


def missing() -> list[str]:
    return unrecorded(recorded(), current())


def read(line: Line) -> dict[str, Any]:
    event = DECODERS[line["topic"]](msgspec.json.encode(line["state"]))
    return {"topic": event.TOPIC, **told(event)}


def add() -> Iterator[str]:
    """Record what has come since, and what upcasts make of what was there; yield what that is."""
    known = lines()
    for line in known:
        if line["topic"] in UPCASTS and line["reads"] != (reads := read(line)):
            line["reads"] = reads
            yield f"{line['topic']} reads as {reads['topic']}"
    for topic, event in EVENTS.items():
        if all(line["topic"] != topic for line in known):
            for state in samples(event):
                body = msgspec.json.decode(msgspec.json.encode(msgspec.convert(state, event, strict=False)))
                line = {"topic": topic, "state": body}
                known.append({**line, "reads": read(line)})
    yield from missing()
    SHAPES.write_text(json.dumps(current(), indent=1, ensure_ascii=False) + "\n")
    BODIES.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in known))
