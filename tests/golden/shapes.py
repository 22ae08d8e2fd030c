"""The forms of events as text, what may become of them, and samples of them."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import NODEFAULT, UNSET, Struct, inspect

from domain.event import DomainEvent

Shape = dict[str, str]
"""A type's fields: what each holds, and ` = ` with its default where it has one."""

_PLAIN = {
    inspect.StrType: ("text", "Text"),
    inspect.IntType: ("integer", 3),
    inspect.BoolType: ("boolean", True),
    inspect.FloatType: ("float", 1.5),
    inspect.DecimalType: ("decimal", "12.50"),
    inspect.UUIDType: ("uuid", "01a20000-0000-7000-8000-000000000002"),
    inspect.DateTimeType: ("time", "2026-03-01T09:00:00Z"),
    inspect.DateType: ("date", "2026-03-01"),
    inspect.BytesType: ("bytes", "AQID"),
    inspect.NoneType: ("null", None),
    inspect.AnyType: ("anything", "anything"),
}


def shapes(kind: type[Struct]) -> dict[str, Shape]:
    """Return the shape of a type and of all types that it is made of, by name; an event's name is its topic."""
    found: dict[str, Shape] = {}
    _add(kind, found)
    return found


def _add(kind: type[Struct], found: dict[str, Shape]) -> str:
    name = kind.TOPIC if issubclass(kind, DomainEvent) else kind.__name__
    if name not in found:
        shape = found[name] = {}
        info = inspect.type_info(kind)
        assert isinstance(info, inspect.StructType)
        for field in info.fields:
            shape[field.encode_name] = _spelled(field.type, found) + _default(field)
    return name


def _default(field: inspect.Field) -> str:
    if field.default_factory is not NODEFAULT:
        return f" = {msgspec.json.encode(field.default_factory()).decode()}"
    if field.default is NODEFAULT:
        return "" if field.required else " = unset"
    return f" = {msgspec.json.encode(field.default).decode()}"


def _spelled(info: inspect.Type, found: dict[str, Shape]) -> str:
    if type(info) in _PLAIN:
        return _PLAIN[type(info)][0]
    match info:
        case inspect.UnionType():
            kinds = [kind for kind in info.types if not _is_unset(kind)]
            return " | ".join(sorted(_spelled(kind, found) for kind in kinds))
        case inspect.StructType():
            return _add(info.cls, found)
        case inspect.VarTupleType() | inspect.ListType():
            return f"[{_spelled(info.item_type, found)}]"
        case inspect.DictType():
            return f"{{{_spelled(info.key_type, found)}: {_spelled(info.value_type, found)}}}"
        case inspect.LiteralType():
            return " | ".join(sorted(map(repr, info.values)))
    raise TypeError(f"{info} is of a kind that no event has had")


def _is_unset(info: inspect.Type) -> bool:
    return type(info).__name__ == "UnsetType"


def problems(recorded: Mapping[str, Shape], current: Mapping[str, Shape], *, read: frozenset[str]) -> Iterator[str]:
    """Yield what must not become of a recorded shape. `read` are the topics that can be read still."""
    for name, shape in recorded.items():
        if name not in current:
            if name not in read:
                yield f"{name} is gone, and the log may have it"
            continue
        for field, told in shape.items():
            if field not in current[name]:
                yield f"{name}.{field} is gone"
            elif current[name][field] != told:
                yield f"{name}.{field} was {told!r} and is {current[name][field]!r}"
        for field in current[name].keys() - shape.keys():
            if " = " not in current[name][field]:
                yield f"{name}.{field} is new and has no default"


def unrecorded(recorded: Mapping[str, Shape], current: Mapping[str, Shape]) -> list[str]:
    """Return what has come: shapes, and fields of known ones."""
    fields = [f"{name}.{field}" for name in recorded.keys() & current.keys() for field in current[name]]
    known = {f"{name}.{field}" for name, shape in recorded.items() for field in shape}
    return sorted({*(current.keys() - recorded.keys()), *(field for field in fields if field not in known)})


def samples(event: type[DomainEvent]) -> list[dict[str, Any]]:
    """Return bodies of the event: with everything that it can tell, and with as little."""
    info = inspect.type_info(event)
    assert isinstance(info, inspect.StructType)
    most = {field.encode_name: _sample(field.type) for field in info.fields}
    least = {field.encode_name: most[field.encode_name] for field in info.fields if field.required}
    return [most] if most == least else [most, least]


def _sample(info: inspect.Type) -> Any:
    if type(info) in _PLAIN:
        return _PLAIN[type(info)][1]
    match info:
        case inspect.UnionType():
            told = [kind for kind in info.types if not _is_unset(kind) and not isinstance(kind, inspect.NoneType)]
            return _sample(told[0])
        case inspect.StructType():
            return {field.encode_name: _sample(field.type) for field in info.fields}
        case inspect.VarTupleType() | inspect.ListType():
            return [_sample(info.item_type)]
        case inspect.DictType():
            return {"key": _sample(info.value_type)}
        case inspect.LiteralType():
            return info.values[0]
    raise TypeError(f"{info} is of a kind that no event has had")


def told(event: DomainEvent) -> dict[str, Any]:
    """Return all that an event tells once it is read, its defaults too."""
    values = {name: getattr(event, name) for name in event.__struct_fields__}
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode({name: value for name, value in values.items() if value is not UNSET})
    )
    return found
