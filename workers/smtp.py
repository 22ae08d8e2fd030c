"""Mail servers: the one place that speaks SMTP. What a server says stays here, but for the number of its answer."""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from commands.settings import SettingsError
from workers.letter import Letter

TIMEOUT_SECONDS = 30.0
IDLE_SECONDS = 15.0
"""So long a connection waits for the next mail."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"smtp": 587, "smtps": 465}
_STARTTLS = frozenset({"offered", "always", "never"})


class Refused(Exception):
    """A mail was not taken. The message is ours, with the server's code; `is_final`: another attempt would not help."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason if code is None else f"{reason.rstrip('.')} ({code}).")
        self.is_final = code is not None and 500 <= code < 600


class _Idle(NamedTuple):
    connection: smtplib.SMTP
    since: float


class MailServer:
    """Hands mails over, from several threads. Connections are kept for the next mail for a little while.

    The URL's `?starttls=always` refuses a server that does not offer it, `never` does not ask.
    """

    def __init__(self, url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._url = urlsplit(url)
        self._timeout_seconds = timeout_seconds
        self._starttls = _starttls(self._url)
        self._name = socket.getfqdn()
        self._lock = threading.Lock()
        self._idle: list[_Idle] = []

    def send(self, letter: Letter) -> None:
        """Return once the server has taken the mail over. Raises Refused."""
        with _explained():
            connection = self._connected()
        try:
            with _explained():
                _hand_over(connection, letter)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(_Idle(connection, time.monotonic()))

    def close(self) -> None:
        while self._idle:
            self._idle.pop().connection.close()

    def _connected(self) -> smtplib.SMTP:
        while (idle := self._next_idle()) is not None:
            if time.monotonic() - idle.since < IDLE_SECONDS and _answers(idle.connection):
                return idle.connection
            idle.connection.close()
        host, port = self._url.hostname or "", self._url.port or _PORTS[self._url.scheme]
        connection: smtplib.SMTP
        if self._url.scheme == "smtps":
            trust = ssl.create_default_context()
            connection = smtplib.SMTP_SSL(host, port, self._name, timeout=self._timeout_seconds, context=trust)
        else:
            connection = smtplib.SMTP(host, port, self._name, timeout=self._timeout_seconds)
        try:
            self._introduce(connection, host)
        except BaseException:
            connection.close()
            raise
        return connection

    def _next_idle(self) -> _Idle | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _introduce(self, connection: smtplib.SMTP, host: str) -> None:
        connection.ehlo_or_helo_if_needed()
        is_private = isinstance(connection, smtplib.SMTP_SSL)
        if not is_private and self._starttls != "never":
            if connection.has_extn("starttls"):
                code, _ = connection.starttls(context=ssl.create_default_context())
                if code != 220:
                    raise Refused("The mail server refused encryption.", code)
                connection.ehlo()
                is_private = True
            elif self._starttls == "always":
                raise Refused("The mail server offers no encryption.")
        if self._url.username:
            if not is_private and self._starttls != "never" and host not in _LOOPBACK:
                raise Refused("The mail server offers no encryption, so it is not told the password.")
            connection.login(unquote(self._url.username), unquote(self._url.password or ""))


@contextmanager
def _explained() -> Iterator[None]:
    """Raise what goes wrong as Refused: the library's errors quote the server and the addresses."""
    try:
        yield
    except (smtplib.SMTPException, OSError) as error:
        raise _refused(error) from None


def _starttls(url: SplitResult) -> str:
    said = parse_qs(url.query).get("starttls", ["offered"])[-1]
    if said not in _STARTTLS:
        raise SettingsError(f"SMTP_URL: starttls is one of {', '.join(sorted(_STARTTLS))}, not {said[:40]!r}")
    return said


def _answers(connection: smtplib.SMTP) -> bool:
    try:
        return connection.noop()[0] == 250
    except (smtplib.SMTPException, OSError):
        return False


def _hand_over(connection: smtplib.SMTP, letter: Letter) -> None:
    code, _ = connection.mail(letter.sender)
    if code != 250:
        raise Refused("The mail server refused the sender's address.", code)
    code, _ = connection.rcpt(letter.recipient)
    if code not in {250, 251}:
        raise Refused("The mail server refused the buyer's address.", code)
    code, _ = connection.data(letter.data)
    if code != 250:
        raise Refused("The mail server refused the mail.", code)


def _refused(error: smtplib.SMTPException | OSError) -> Refused:
    match error:
        case smtplib.SMTPResponseException() if error.smtp_code <= 0:
            return Refused("What answers is no mail server.")
        case smtplib.SMTPAuthenticationError():
            return Refused("The mail server refused the user name or password.", error.smtp_code)
        case smtplib.SMTPNotSupportedError():
            return Refused("The mail server does not support what is asked of it.")
        case smtplib.SMTPConnectError():
            return Refused("The mail server refused the connection.", error.smtp_code)
        case smtplib.SMTPDataError():
            return Refused("The mail server refused the mail.", error.smtp_code)
        case smtplib.SMTPResponseException():
            return Refused("The mail server refused to go on.", error.smtp_code)
        case ssl.SSLCertVerificationError():
            return Refused("The mail server's certificate is not trusted.")
        case ssl.SSLError():
            return Refused("The mail server and we have no encryption in common.")
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return Refused("The mail server did not answer in time.")
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return Refused("The mail server ended the connection.")
    return Refused("The mail server cannot be reached.")
