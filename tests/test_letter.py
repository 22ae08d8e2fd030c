from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import getaddresses
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.purchase import purchase as purchases
from domain.purchase.events import SoldAsset
from projections.letters import Addressed
from tests.scenario import NOW, STAMP
from workers.letter import Letter, line, size, written

ID = UUID("01a20000-0000-7000-8000-0000000000c1")
URL = "https://shop.example/api/v1/digital/download/kQ0mXlTQ2S6tQ0n1m1ZbVf3J/"
TO = Addressed("buyer@example.com", "Ana Sousa", "Groove & Söner", "help@groove.example")
SENDER, RECIPIENT = "mail@shop.example", "buyer@example.com"
_seen = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=120)


def letter(to: Addressed = TO, *, title: str | None = "Drum Kit", files: int = 1, **facts: Any) -> Letter:
    names = [f"File {n}.zip" for n in range(files)]
    assets = [SoldAsset(ID, "b", name, None, "application/zip", 184_320_771) for name in names]
    made = {"product": ID, "title": title, "type": "digital", "buyer": ID, "token_digest": b"", "assets": assets}
    purchase = purchases.fold([purchases.create(ID, STAMP, **{**made, **facts})])
    assert purchase is not None
    return written("pur_1.2", purchase, to, URL, recipient=RECIPIENT, sender=SENDER, now=NOW)


def read(made: Letter) -> EmailMessage:
    return message_from_bytes(made.data, policy=default)


def texts(made: Letter) -> tuple[str, str]:
    """Return the plain text and the HTML."""
    found = []
    for kind in ("plain", "html"):
        body = read(made).get_body((kind,))
        assert body is not None
        found.append(str(body.get_content()).replace("\r\n", "\n"))
    return found[0], found[1]


def test_its_headers_are_those_of_one_mail_to_one_person() -> None:
    mail = read(letter())
    assert mail["subject"] == "Your download: Drum Kit"
    assert mail["from"].addresses[0].display_name == "Groove & Söner"
    assert mail["from"].addresses[0].addr_spec == SENDER
    assert str(mail["to"]) == "Ana Sousa <buyer@example.com>"
    assert mail["reply-to"].addresses[0].addr_spec == "help@groove.example"
    assert mail["message-id"] == "<pur_1.2@shop.example>"
    assert mail["date"].datetime == NOW
    assert mail["auto-submitted"] == "auto-generated"
    assert not [name for name in mail if name.lower().startswith("list-")]
    assert mail.get_content_type() == "multipart/alternative"


def test_it_is_ascii_in_short_lines_on_the_way() -> None:
    data = letter(title="人間椅子 " * 50).data
    data.decode("ascii")
    assert max(map(len, data.split(b"\r\n"))) < 998
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_both_forms_hold_the_link_and_what_it_is_for() -> None:
    until = datetime(2027, 1, 5, 8, 30, tzinfo=UTC)
    plain, html = texts(letter(files=2, max_downloads=1, expires_at=until))
    for text in (plain, html):
        for said in (
            URL,
            "Drum Kit",
            "Ana Sousa",
            "File 0.zip",
            "File 1.zip",
            "184 MB",
            "once",
            "5 January 2027, 08:30 UTC",
        ):
            assert said in text
    assert "Groove & Söner" in plain
    assert "Groove &amp; Söner" in html
    assert "5 times" in texts(letter(max_downloads=5))[0]


def test_what_is_not_limited_is_not_told_of() -> None:
    plain, _ = texts(letter())
    assert "until" not in plain
    assert "downloaded" not in plain
    assert "\n\n\n" not in plain


def test_many_files_are_counted_not_listed() -> None:
    plain, html = texts(letter(files=23))
    assert "File 19.zip" in plain
    assert "File 20.zip" not in plain
    assert "and 3 more" in plain
    assert "and 3 more" in html


def test_without_names_it_reads_as_well() -> None:
    to = Addressed("buyer@example.com", None, "Groove", None)
    made = letter(to, title=None)
    mail = read(made)
    assert mail["subject"] == "Your download from Groove"
    assert str(mail["to"]) == "buyer@example.com"
    assert "reply-to" not in mail
    plain, html = texts(made)
    assert plain.startswith("Hello,\n")
    assert "Answer this mail" not in plain
    assert "None" not in plain + html


def test_markup_in_a_title_is_text() -> None:
    _, html = texts(letter(title='<script>alert("1")</script> & co', files=1))
    assert "<script" not in html
    assert "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; &amp; co" in html


@pytest.mark.parametrize(
    "text",
    [
        "Kit\r\nBcc: all@example.com",
        "Kit\n\n\tBcc: all@example.com\n\n",
        "Kit\u2028Bcc: all@example.com",
        "Kit\x85Bcc: all@example.com",
        "Kit\x0bBcc: all@example.com",
    ],
)
def test_a_line_that_breaks_is_one_line(text: str) -> None:
    made = letter(Addressed(RECIPIENT, text, text, "help@groove.example"), title=text)
    mail = read(made)
    assert mail["subject"] == "Your download: Kit Bcc: all@example.com"
    assert "bcc" not in mail
    assert [address.addr_spec for address in mail["to"].addresses] == [RECIPIENT]
    assert "\nBcc" not in texts(made)[0]


def test_marks_that_turn_the_direction_are_left_out() -> None:
    assert (
        line("\u202egpj.exe\u202c \u2067\u0623\u0644\u0628\u0648\u0645\u2069")
        == "gpj.exe \u0623\u0644\u0628\u0648\u0645"
    )


@example(name="", seller="000¡¡¡¡¡¡¡¡𐀀𐀀𐀀𐀀𐀀𐀀 ¡", title="")
@given(name=_seen, seller=_seen.filter(line), title=_seen)
def test_no_text_adds_a_header_or_an_address(name: str, seller: str, title: str) -> None:
    made = letter(Addressed(RECIPIENT, name, seller, "help@groove.example"), title=title)
    plain = message_from_bytes(made.data)
    assert sorted(plain.keys()) == sorted(read(letter()).keys())
    for header, address, shown in (("To", RECIPIENT, name), ("From", SENDER, seller)):
        [(found, spec)] = getaddresses([str(plain[header]).replace("\r\n", "")])
        assert spec == address
        assert str(make_header(decode_header(found))) == line(shown)
    assert len(list(read(made).walk())) == 3


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (184_320_771, "184 MB"), (2_147_483_648, "2.1 GB")],
)
def test_sizes_are_told_as_people_say_them(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text
