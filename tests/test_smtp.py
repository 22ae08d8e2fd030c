import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme

from commands.settings import SettingsError
from tests.mail_server import PASSWORD, USER, Gate, Mailbox, mail_server, with_password
from workers import smtp
from workers.letter import Letter
from workers.smtp import MailServer, Refused

DATA = b"Subject: Hi\r\nMessage-ID: <1@shop.example>\r\n\r\nA line\r\n.starts with a dot\r\n"
LETTER = Letter("pur_1.1", "shop@shop.example", "buyer@example.com", DATA)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as found:
        yield found


def send(url: str) -> None:
    with closing(MailServer(url, 5.0)) as server:
        server.send(LETTER)


def refusal(url: str, timeout_seconds: float = 5.0) -> Refused:
    with closing(MailServer(url, timeout_seconds)) as server, pytest.raises(Refused) as refused:
        server.send(LETTER)
    assert refused.value.__cause__ is None
    return refused.value


def test_a_mail_is_handed_over_as_it_is(mailbox: Mailbox) -> None:
    send(f"smtp://127.0.0.1:{mailbox.port}")
    assert mailbox.raw == [DATA]
    assert mailbox.recipients == ["buyer@example.com"]


def test_the_next_mail_takes_the_same_connection_and_a_dead_one_is_replaced(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = MailServer(f"smtp://127.0.0.1:{mailbox.port}")
    for _ in range(3):
        server.send(LETTER)
    assert len(mailbox.sessions) == 1
    [idle] = server._idle
    assert idle.connection.sock is not None
    idle.connection.sock.shutdown(socket.SHUT_RDWR)
    server.send(LETTER)
    assert len(mailbox.raw) == 4
    monkeypatch.setattr(smtp, "IDLE_SECONDS", 0.0)
    kept = server._idle[0].connection
    server.send(LETTER)
    assert server._idle[0].connection is not kept
    server.close()


@pytest.mark.parametrize(
    ("command", "answer", "reason", "is_final"),
    [
        ("MAIL", "550 not you", "The mail server refused the sender's address (550).", True),
        ("MAIL", "451 later", "The mail server refused the sender's address (451).", False),
        ("RCPT", "550 no such buyer@example.com", "The mail server refused the buyer's address (550).", True),
        ("RCPT", "450 greylisted", "The mail server refused the buyer's address (450).", False),
        ("DATA", "554 spam", "The mail server refused the mail (554).", True),
        ("DATA", "452 full", "The mail server refused the mail (452).", False),
    ],
)
def test_a_refusal_is_told_in_our_words_with_the_code(
    mailbox: Mailbox, command: str, answer: str, reason: str, is_final: bool
) -> None:
    mailbox.says[command] = lambda: answer
    refused = refusal(f"smtp://127.0.0.1:{mailbox.port}")
    assert (str(refused), refused.is_final) == (reason, is_final)


def test_a_server_that_hangs_is_not_waited_for(mailbox: Mailbox) -> None:
    mailbox.says["DATA"] = gate = Gate()
    refused = refusal(f"smtp://127.0.0.1:{mailbox.port}", 0.5)
    gate.open()
    assert (str(refused), refused.is_final) == ("The mail server did not answer in time.", False)


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        refused = refusal(f"smtp://127.0.0.1:{silent.getsockname()[1]}", 0.5)
    assert (str(refused), refused.is_final) == ("The mail server did not answer in time.", False)


@pytest.mark.parametrize(
    ("greeting", "reason", "is_final"),
    [
        (b"554 go away\r\n", "The mail server refused the connection (554).", True),
        (b"421 busy\r\n", "The mail server refused the connection (421).", False),
        (b"", "The mail server ended the connection.", False),
        (b"HTTP/1.1 400 Bad Request\r\n", "What answers is no mail server.", False),
    ],
)
def test_what_does_not_greet_as_a_mail_server_does_is_none(greeting: bytes, reason: str, is_final: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()
        refused = refusal(f"smtp://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert (str(refused), refused.is_final) == (reason, is_final)


def test_a_server_that_is_not_there_may_come_back() -> None:
    refused = refusal("smtp://127.0.0.1:1")
    assert (str(refused), refused.is_final) == ("The mail server cannot be reached.", False)


def test_a_password_is_told_and_a_wrong_one_ends_it() -> None:
    with mail_server(**with_password()) as mailbox:
        host = f"127.0.0.1:{mailbox.port}"
        send(f"smtp://{USER}:{PASSWORD.replace(' ', '%20')}@{host}")
        assert len(mailbox.raw) == 1
        refused = refusal(f"smtp://{USER}:wrong@{host}")
        assert (str(refused), refused.is_final) == ("The mail server refused the user name or password (535).", True)


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.mark.usefixtures("trusted")
def test_encryption_that_is_offered_is_used(tls: ssl.SSLContext) -> None:
    with mail_server(tls=tls, **with_password(in_the_clear=False)) as mailbox:
        send(f"smtp://{USER}:{PASSWORD}@127.0.0.1:{mailbox.port}?starttls=always")
        assert mailbox.encrypted == [True]


@pytest.mark.usefixtures("trusted")
def test_a_server_of_tls_alone_is_spoken_to_in_tls(tls: ssl.SSLContext) -> None:
    with mail_server(tls=tls, is_tls_alone=True) as mailbox:
        send(f"smtps://127.0.0.1:{mailbox.port}")
        assert mailbox.raw == [DATA]


@pytest.mark.parametrize("is_tls_alone", [True, False])
def test_a_certificate_that_nobody_vouches_for_gets_no_mail(tls: ssl.SSLContext, is_tls_alone: bool) -> None:
    with mail_server(tls=tls, is_tls_alone=is_tls_alone) as mailbox:
        refused = refusal(f"smtp{'s' if is_tls_alone else ''}://127.0.0.1:{mailbox.port}")
        assert (str(refused), refused.is_final) == ("The mail server's certificate is not trusted.", False)
        assert mailbox.raw == []


def test_without_encryption_no_mail_goes_where_it_is_always_wanted(mailbox: Mailbox) -> None:
    refused = refusal(f"smtp://127.0.0.1:{mailbox.port}?starttls=always")
    assert (str(refused), refused.is_final) == ("The mail server offers no encryption.", False)


def test_a_password_does_not_leave_the_machine_in_the_clear(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "_LOOPBACK", frozenset[str]())
    refused = refusal(f"smtp://{USER}:{PASSWORD}@127.0.0.1:{mailbox.port}")
    assert str(refused) == "The mail server offers no encryption, so it is not told the password."


def test_a_url_that_asks_for_what_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError, match="starttls is one of always, never, offered"):
        MailServer("smtp://mail.example?starttls=maybe")
