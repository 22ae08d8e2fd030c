"""Sends the mail that a purchase owes, and notes what came of it."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.errors import MessageError
from typing import NamedTuple, Protocol, Self
from uuid import UUID

import structlog

from commands.bus import Bus
from commands.mail_address import deliverable
from commands.outbox import Outbox
from commands.purchase import NoteMailFailed, NoteMailSent
from commands.settings import Settings
from commands.tokens import download_token
from commands.work import Context
from domain.errors import Busy, NotFound, Unavailable
from domain.fields import FieldError
from domain.ids import PURCHASE, uid
from domain.purchase.errors import Superseded
from domain.purchase.purchase import Purchase, fold
from projections.letters import Letters
from projections.purchase_document import DOWNLOAD_PATH
from workers.leases import Lease
from workers.letter import Letter, written
from workers.runner import Overtaken, Postponed
from workers.smtp import MailServer, Refused

NOT_KEPT = "The mail could not be written to the data folder."
NOT_ADDRESSED = "The buyer's address is none that mail can be sent to."
_PATIENCE_SECONDS = (0.1, 0.4, 1.0, 2.0, 4.0)
"""Pauses before the outcome is noted again where the database is away: a mail that left should not leave again."""
_log = structlog.get_logger("mail")


class Post(Protocol):
    """Who takes mails over."""

    def send(self, letter: Letter) -> None:
        """Raises Refused."""
        ...


class Folder:
    """Takes mails over as files."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def send(self, letter: Letter) -> None:
        try:
            self._outbox.keep(letter.name, letter.data)
        except OSError:
            raise Refused(NOT_KEPT) from None


class Office(NamedTuple):
    """What all mails of a process share."""

    bus: Bus
    letters: Letters
    post: Post
    outbox: Outbox
    settings: Settings

    @classmethod
    def opened(cls, settings: Settings, bus: Bus) -> Self:
        outbox = Outbox(settings.data)
        post = MailServer(settings.smtp_url) if settings.smtp_url else Folder(outbox)
        return cls(bus, Letters(settings.database_url), post, outbox, settings)


class MailWork:
    """A purchase that owes its buyer a mail."""

    def __init__(self, office: Office, purchase: Purchase) -> None:
        self._office = office
        self._purchase = purchase
        self._uid = uid(PURCHASE, purchase.id)

    @classmethod
    def take(cls, office: Office, id: UUID) -> Self | None:
        """Return it as it stands, None where no mail is owed any more."""
        purchase = office.bus.store.load(id, fold)
        return None if purchase is None or purchase.owed is None else cls(office, purchase)

    def attempt(self, lease: Lease) -> None:
        """Send the next mail. One that the server has taken may be sent again after a crash, under the same id."""
        number = self._purchase.next_mail
        try:
            letter = self._letter(number)
            lease.check()
            self._office.post.send(letter)
        except Refused as refused:
            jitter = random.random()  # noqa: S311 - jitter
            command = NoteMailFailed(
                id=self._purchase.id, number=number, reason=str(refused), is_final=refused.is_final, jitter=jitter
            )
            self._note(command)
            _log.warning("not sent", number=number, reason=str(refused), is_final=refused.is_final)
            return
        self._note(NoteMailSent(id=self._purchase.id, number=number))
        _log.info("sent", number=number)

    def _letter(self, number: int) -> Letter:
        """Raises Overtaken where there is nobody to write to any more, Refused where nobody ever could, Postponed."""
        purchase, settings = self._purchase, self._office.settings
        to = self._office.letters.addressed(purchase.id)
        if to is None:
            raise Overtaken
        try:
            recipient = deliverable(to.email)
        except FieldError:
            raise Refused(NOT_ADDRESSED) from None
        token = download_token(settings.secret_key, purchase.id)
        url = f"{settings.base_url}{DOWNLOAD_PATH}/{token}/"
        name, now = f"{self._uid}.{number}", datetime.now(UTC)
        try:
            return written(name, purchase, to, url, recipient=recipient, sender=settings.mail_from, now=now)
        except (ValueError, MessageError) as error:
            # Such an error quotes what it is about, which no log is to hold.
            raise Postponed(f"The mail could not be written: {type(error).__name__}.") from None

    def _note(self, command: NoteMailSent | NoteMailFailed) -> None:
        context = Context(self._purchase.organization, "system", f"mail-{self._uid}")
        try:
            _patiently(lambda: self._office.bus.execute(command, context))
        except (Superseded, NotFound):
            # Its buyer was erased while it was on its way.
            if (now := self._office.bus.store.load(self._purchase.id, fold)) is None or now.is_erased:
                self._office.outbox.forget(self._uid)
            raise Overtaken from None


def _patiently(work: Callable[[], object]) -> None:
    for pause_seconds in _PATIENCE_SECONDS:
        try:
            work()
        except (Unavailable, Busy):
            time.sleep(pause_seconds)
        else:
            return
    work()
