"""Structured logs, one line an event on standard error: ids, never keys, tokens, addresses or what clients wrote."""

import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor

_FRAMES = 12
_REASON_CHARACTERS = 300
# Each connection and each poll of theirs is a line otherwise; httpx's hold whole addresses.
_CHATTY = ("httpx", "httpcore", "urllib3", "dramatiq.worker.ConsumerThread", "psycopg.pool")
# It tells of a broker that is away in seven lines a connection, many times a second. The dispatcher says it once.
_SILENT = "pika"
# Each connection says each second that the database is away.
_REPETITIVE = "psycopg.pool"
_REPEATED_AFTER_SECONDS = 10.0


class _Seldom(logging.Filter):
    """Lets one line of a kind pass in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.created - self._passed.get(record.msg, 0.0) < _REPEATED_AFTER_SECONDS:
            return False
        self._passed[record.msg] = record.created
        return True


_seldom = _Seldom()


def configure(log_format: Literal["console", "json"], log_level: str) -> None:
    """Give our own lines and those of libraries one form. What is bound to the context (an import's uid) is on every
    line. Calling it again takes the newer settings."""
    level = logging.getLevelNamesMapping()[log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _explain,
    ]
    final: Processor
    if log_format == "json":
        final = structlog.processors.JSONRenderer(_text)
        # Ours skip the standard library: a line a request is on the way of every answer.
        own: list[Processor] = [*shared, structlog.processors.JSONRenderer(_bytes)]
        factory: Any = structlog.BytesLoggerFactory(sys.stderr.buffer)
    else:
        shared.append(_in_lines)
        final = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        own = [*shared, final]
        factory = structlog.WriteLoggerFactory(sys.stderr)
    handler = logging.StreamHandler(sys.stderr)
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    foreign: list[Processor] = [structlog.stdlib.add_logger_name, *shared]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[meta, final], foreign_pre_chain=foreign))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, level))
    logging.getLogger(_SILENT).setLevel(logging.CRITICAL)
    logging.getLogger(_REPETITIVE).addFilter(_seldom)
    structlog.configure(
        processors=own,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=factory,
        cache_logger_on_first_use=False,
    )


def request_lines(name: str) -> Callable[[dict[str, Any]], object]:
    """Return what writes a line "request" for each request: as every other line, but for JSON not step by step.

    Call it after `configure`.
    """
    log = structlog.get_logger(name).bind()
    if structlog.get_config()["logger_factory"].__class__ is not structlog.BytesLoggerFactory:
        return lambda fields: log.info("request", **fields)
    level = logging.getLogger().level
    encode, write = msgspec.json.Encoder().encode, structlog.BytesLogger(sys.stderr.buffer).info

    def line(fields: dict[str, Any]) -> None:
        if level <= logging.INFO:
            write(encode({**fields, "event": "request", "level": "info", "timestamp": datetime.now(UTC)}))

    return line


def described(error: BaseException) -> dict[str, Any]:
    """Return what a log may say of an exception: its type, the first line of its message, where it came from.

    The lines after the first are where a database driver quotes the row that it refused.
    """
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    described: dict[str, Any] = {
        "error": _name(error),
        "reason": str(error).partition("\n")[0][:_REASON_CHARACTERS],
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if error.__cause__ is not None:
        described["cause"] = _name(error.__cause__)
    return described


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _explain(_: Any, __: str, event: EventDict) -> EventDict:
    """Put `described` in the place of exc_info: a rendered traceback would hold the whole message."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        event.update(described(error))
    return event


def _in_lines(_: Any, __: str, event: EventDict) -> EventDict:
    """Give the console a stack as it takes it: as text, below the line."""
    if isinstance(stack := event.get("stack"), list):
        event["stack"] = "\n".join(stack)
    return event


def _bytes(event: Any, **_: Any) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def _text(event: Any, **_: Any) -> str:
    return _bytes(event).decode()
