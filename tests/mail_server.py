"""A mail server on loopback, which takes mails or refuses them as a test says."""

import asyncio
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "shop", "correct horse"


class Mailbox:
    """What the server was given. `says` answers, by the command's name, what is not to be 250; it may block."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.recipients: list[str] = []
        self.sessions: set[int] = set()
        self.encrypted: list[bool] = []
        self.says: dict[str, Callable[[], str]] = {}
        self.port = 0

    @property
    def ids(self) -> list[str]:
        return [str(mail["message-id"]) for mail in self.mails]

    def _said(self, command: str) -> str | None:
        return self.says[command]() if command in self.says else None

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._said("MAIL") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self._said("RCPT") or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        said = await asyncio.get_running_loop().run_in_executor(None, self._said, "DATA")
        if said is not None:
            return said
        content = envelope.content
        assert isinstance(content, bytes)
        self.raw.append(content)
        message = message_from_bytes(content, policy=default)
        self.mails.append(message)
        self.recipients.extend(envelope.rcpt_tos)
        self.sessions.add(id(session))
        self.encrypted.append(session.ssl is not None)
        return "250 taken"


def _authenticated(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    is_right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


@contextmanager
def mail_server(*, tls: ssl.SSLContext | None = None, is_tls_alone: bool = False, **options: Any) -> Iterator[Mailbox]:
    """Run it; with `tls` it offers STARTTLS, or speaks nothing else."""
    mailbox, loop = Mailbox(), asyncio.new_event_loop()
    offered = None if is_tls_alone else tls

    def session() -> SMTP:
        with warnings.catch_warnings():
            # A password in the clear is what some of the tests are about.
            warnings.simplefilter("ignore")
            return SMTP(mailbox, hostname="mail.test", tls_context=offered, loop=loop, **options)

    async def close(server: asyncio.Server) -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0)

    at = loop.create_server(session, "127.0.0.1", 0, ssl=tls if is_tls_alone else None)
    server = loop.run_until_complete(at)
    mailbox.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield mailbox
    finally:
        asyncio.run_coroutine_threadsafe(close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def with_password(*, in_the_clear: bool = True) -> dict[str, Any]:
    return {"authenticator": _authenticated, "auth_required": True, "auth_require_tls": not in_the_clear}


class Gate:
    """Blocks whoever comes to it until it is opened."""

    def __init__(self) -> None:
        self.reached, self._open = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.reached.set()
        self._open.wait(60)
        return "451 later"

    def open(self) -> None:
        self._open.set()
