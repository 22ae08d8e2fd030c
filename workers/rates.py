"""Fetches the euro's reference rates daily, and has the prices computed anew whose rate has become too old."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree as ET

import msgspec
import structlog

from commands.bus import Bus
from commands.presence import ReconvertPresence
from commands.settings import Settings
from commands.web import Unreachable, Unreadable, Web
from commands.work import Context
from domain.errors import DeadwaxError, NotFound
from domain.rates import EURO, DayRates, Implausible, day_rates
from projections.rates import Rates

FETCHED_FOR_SECONDS = 12 * 3600.0
LOOK_SECONDS = 900.0
OFF = "off"
MAX_XML_BYTES = 1024**2
AT_ONCE = 200
_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"
_log = structlog.get_logger("rates")


class Refused(DeadwaxError):
    """The source answered with an error."""


def ecb(web: Web, url: str, today: date) -> DayRates:
    """Return what the European Central Bank told last, as XML.

    Raises what Web does, Implausible, Refused.
    """
    body = _answered(web, url)
    if len(body) > MAX_XML_BYTES or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise Unreadable("The answer is no list of rates.")
    try:
        root = ET.fromstring(body)  # noqa: S314 - no entities get in, see above
        days = [cube for cube in root.iter(_CUBE) if "time" in cube.attrib]
        newest = max(days, key=lambda cube: date.fromisoformat(cube.attrib["time"]))
        per_euro = {
            cube.attrib["currency"]: Decimal(cube.attrib["rate"]) for cube in newest.iter(_CUBE) if cube is not newest
        }
        day = date.fromisoformat(newest.attrib["time"])
    except (ET.ParseError, KeyError, ValueError, InvalidOperation) as error:
        raise Unreadable("The answer is no list of rates.") from error
    return day_rates(day, per_euro, today)


class _Latest(msgspec.Struct):
    base: str
    date: date
    rates: dict[str, Decimal]


def frankfurter(web: Web, url: str, today: date) -> DayRates:
    """Return what a Frankfurter server has of the newest day. Raises as `ecb` does."""
    try:
        latest = msgspec.json.decode(_answered(web, f"{url}/v1/latest?base={EURO}"), type=_Latest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable("The answer is no list of rates.") from error
    if latest.base != EURO:
        raise Unreadable("The answer is of another base.")
    return day_rates(latest.date, latest.rates, today)


def _answered(web: Web, url: str) -> bytes:
    reply = web.send("GET", url)
    if reply.status != 200:
        raise Refused(f"The source answered with status {reply.status}.")
    return reply.body


class RatesWork:
    """The two chores about rates. Any number of processes may have them."""

    def __init__(
        self, settings: Settings, bus: Bus, today: Callable[[], date] = lambda: datetime.now(UTC).date()
    ) -> None:
        self._database_url = settings.database_url
        self._max_age_days = settings.rate_max_age_days
        self._bus = bus
        self._today = today
        self._sources: list[tuple[str, Callable[[Web, str, date], DayRates], str]] = [
            (name, fetch, url)
            for name, fetch, url in (
                ("ecb", ecb, settings.rates_url),
                ("frankfurter", frankfurter, settings.rates_fallback_url),
            )
            if url != OFF
        ]

    def fetch(self) -> None:
        """Fetch the newest rates where the last ones were fetched long enough ago. Raises Unavailable."""
        with Rates(self._database_url) as rates, Web() as web:
            if not self._sources or not rates.is_due(FETCHED_FOR_SECONDS):
                return
            failed: list[str] = []
            for name, fetch, url in self._sources:
                try:
                    fetched = fetch(web, url, self._today())
                except (Unreachable, Unreadable, Refused, Implausible) as error:
                    failed.append(f"{name}: {error}")
                    _log.warning("not fetched", source=name, reason=str(error))
                    continue
                rates.keep(fetched, name)
                _log.info("fetched", source=name, day=fetched.day.isoformat(), currencies=len(fetched.per_euro))
                return
            rates.failed(" ".join(failed))

    def reconvert(self) -> int:
        """Compute prices anew whose rate is too old, or that had none; return how many. Raises Unavailable, Busy."""
        oldest = self._today() - timedelta(days=self._max_age_days)
        after, count = UUID(int=0), 0
        with Rates(self._database_url) as rates:
            while due := rates.due(oldest, after, AT_ONCE):
                for presence, organization, product in due:
                    self._reconvert(presence, product, Context(organization, "system", f"rates-{uuid4()}"))
                after, count = due[-1].presence, count + len(due)
        if count:
            _log.info("converted anew", presences=count)
        return count

    def _reconvert(self, presence: UUID, product: UUID, context: Context) -> Any:
        try:
            self._bus.execute(ReconvertPresence(presence, product), context)
        except NotFound:
            # Deleted since the question was asked.
            return
