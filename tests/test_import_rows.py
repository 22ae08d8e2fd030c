import io
from collections.abc import Mapping
from decimal import Decimal

import pytest

from commands.imports.arrivals import Copies, ImportRow
from commands.imports.cells import (
    GRADES,
    SLEEVE_GRADES,
    catalog_number,
    first_label,
    formats,
    grade,
    price,
    without_homonyms,
    year,
)
from commands.imports.cells import text as plain
from commands.imports.formats import recognise
from commands.imports.reader import records, survey
from commands.imports.rows import Refused, Row, interpret
from domain.product.form import CREATE

COLLECTION = (
    "Catalog#,Artist,Title,Label,Format,Rating,Released,release_id,CollectionFolder,Date Added,"
    "Collection Media Condition,Collection Sleeve Condition,Collection Notes\n"
)
INVENTORY = (
    "listing_id,artist,title,label,catno,format,release_id,status,price,listed,comments,media_condition,"
    "sleeve_condition,accept_offer,external_id,weight,format_quantity,location,quantity\r\n"
)
LONG = "Ensure this field has no more than %d characters."
UPLOAD = "release_id,price,media_condition,sleeve_condition,comments,status,external_id\n"


def rows(
    text: str, type: str = "physical", mapping: Mapping[str, str] | None = None, currency: str = "USD"
) -> list[Row | Refused]:
    file = io.BytesIO(text.encode())
    table = survey(file)
    return list(interpret(records(file, table), recognise(table.header, mapping), type, CREATE.parse, currency))


def product(text: str, type: str = "physical", mapping: Mapping[str, str] | None = None) -> ImportRow:
    [row] = rows(text, type, mapping)
    assert isinstance(row, Row), row
    return row.product


def values(text: str, type: str = "physical", mapping: Mapping[str, str] | None = None) -> Mapping[str, object]:
    found = product(text, type, mapping).values
    assert found is not None
    return found


def reason(text: str) -> str:
    [row] = rows(text)
    assert isinstance(row, Refused)
    return row.reason


def test_a_row_of_a_collection_becomes_a_physical_product_of_that_release() -> None:
    imported = product(
        COLLECTION + '"abr0050, N11",Krill (4),Rare Coins ,"Soul (5), Soul (5)","2xLP, Album + 7"", Single",,2018,'
        "1576528,Uncategorized,2019-02-25 16:17:20,,,\n"
    )
    assert imported.values == {
        "type": "physical",
        "title": "Rare Coins",
        "catalog_number": "abr0050, N11",
        "formats": ("2xLP", "Album", '7"', "Single"),
        "year": "2018",
        "external_id": "1576528",
        "external_id_title": "Discogs release",
    }
    assert (imported.artist_name, imported.music_label_name) == ("Krill", "Soul")
    assert imported.claim == "discogs:release:1576528"


def copies(text: str, currency: str = "USD") -> Copies:
    [row] = rows(text, currency=currency)
    assert isinstance(row, Row), row
    assert row.product.copies is not None
    return row.product.copies


LISTED = (
    '4332778344,HammerFall,Glory,Nuclear Blast,NB 265-2,"CD, Promo",5134861,%s,%s,2026-08-25 07:04:22,Mint!,'
    "Near Mint (NM or M-),Not Graded,N,A-7,100,1,Shelf 3,%s\r\n"
)


def test_an_inventory_row_holds_a_product_its_copies_and_their_listing() -> None:
    text = INVENTORY + LISTED % ("For Sale", '"1,100.50"', 2)
    assert values(text)["external_id"] == "5134861"
    found = copies(text)
    assert (found.claims, found.count) == (["discogs:listing:1:4332778344", "discogs:listing:2:4332778344"], 2)
    assert found.values == {
        "status": "listed",
        "condition_item": "near_mint",
        "condition_container": "not_graded",
        "condition_comments": "Mint!",
        "manual_sku": "A-7",
        "manual_description": "Shelf 3",
        "listing_current_price": Decimal("1100.50"),
    }
    assert found.listing == {
        "platform_uid": "plat_discogs",
        "external_listing_id": "4332778344",
        "external_url": "https://www.discogs.com/sell/item/4332778344",
        "status": "active",
        "listing_price": Decimal("1100.50"),
        "listing_currency": "USD",
        "is_selling_enabled": True,
    }


@pytest.mark.parametrize(
    ("status", "item", "presence", "count"),
    [("For Sale", "listed", "active", 0), ("Draft", "ready-to-sell", "draft", 0), ("Sold", "sold", "sold", 1),
     ("Expired", "ready-to-sell", "ended", 0), ("violation", "ready-to-sell", "ended", 0),
     ("Deleted", "archived", "removed", 0)],
)  # fmt: skip
def test_a_listings_status_says_where_copy_and_listing_stand(status: str, item: str, presence: str, count: int) -> None:
    found = copies(INVENTORY + LISTED % (status, "9.00", 0))
    assert found.listing is not None
    assert (found.values["status"], found.listing["status"], found.count) == (item, presence, count)
    assert found.listing["is_selling_enabled"] == (presence == "active")


def test_a_price_in_another_currency_is_the_listings_alone() -> None:
    found = copies(INVENTORY + LISTED % ("For Sale", "9.5", 1), "EUR")
    assert found.listing is not None
    assert (found.listing["listing_price"], found.listing["listing_currency"]) == (Decimal("9.50"), "EUR")
    assert "listing_current_price" not in found.values
    [refused] = rows(UPLOAD + "3181739,21.95,Mint (M),,,Draft,86\n", currency="EUR")
    assert isinstance(refused, Refused)
    assert refused.reason == "price: Without a listing it cannot be in EUR: prices of items are in USD."


def test_copies_of_one_release_have_one_product_and_claims_of_their_own() -> None:
    line = ",HammerFall,Glory,Nuclear Blast,NB,CD,5134861,For Sale,9.5,,,Mint (M),Mint (M),N,,,,,1\r\n"
    found = [row.product for row in rows(INVENTORY + "1" + line + "2" + line) if isinstance(row, Row)]
    assert [row.claim for row in found] == ["discogs:release:5134861"] * 2
    assert [row.copies.claims for row in found if row.copies] == [["discogs:listing:1:1"], ["discogs:listing:1:2"]]


def test_a_collections_copies_are_not_for_sale() -> None:
    assert product(COLLECTION + "1,A,T,L,LP,,2018,1576528,U,,Mint (M),Mint (M),\n").copies is None


def test_an_upload_row_names_a_release_that_has_to_be_there() -> None:
    text = UPLOAD + "3181739,21.95,Near Mint (NM or M-),Generic,Unplayed,Draft,86\n"
    assert (product(text).values, product(text).claim) == (None, "discogs:release:3181739")
    found = copies(text)
    assert found.values["listing_current_price"] == Decimal("21.95")
    assert (found.claims, found.listing) == (["discogs:external:1:discogs:release:3181739:86"], None)


def test_a_copy_without_any_number_is_known_by_what_is_said_of_it_but_its_status() -> None:
    lines = ("1,9.5,Mint (M),,,Draft,\n", "1,9.50,M,,,For Sale,\n", "1,9.5,Mint (M),,Sealed,Draft,\n", "2,9.5,M,,,,\n")
    names = [copies(UPLOAD + line).name for line in lines]
    assert names[0] == names[1]
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (UPLOAD + ",21.95,Mint (M),,,Draft,\n", "release_id: This field is required."),
        (UPLOAD + "31x,21.95,Mint (M),,,Draft,\n", 'release_id: "31x" is not a Discogs release number.'),
        (UPLOAD + "1,cheap,Mint (M),,,Draft,\n", 'price: "cheap" cannot be read.'),
        (UPLOAD + "1,NaN0,Mint (M),,,Draft,\n", 'price: "NaN0" cannot be read.'),
        (UPLOAD + "1,1,Shiny,,,Draft,\n", 'media_condition: "Shiny" cannot be read.'),
        (UPLOAD + "1,1,,,,Gone,\n", 'status: "Gone" cannot be read.'),
        (UPLOAD + "1,1.234,,,,,\n", "price: Ensure that there are no more than 2 decimal places."),
        (UPLOAD + f"1,1e9,,,,,{'x' * 101}\n", f"external_id: {LONG % 100}"),
        (UPLOAD + "1,1e99999999,,,,,\n", 'price: "1e99999999" cannot be read.'),
        (INVENTORY + "x1,A,T,L,N,CD,1,Draft,1,,,,,N,,,,,1\n",
         'listing_id: "x1" is not a number of a Discogs listing.'),
        (INVENTORY + "1,A,T,L,N,CD,1,Draft,1,,,,,N,,,,,1001\n", 'quantity: "1001" is not a number from 0 to 1000.'),
        (INVENTORY + "1,A,T,L,N,CD,1,Draft,1,,,,,N,,,,,-1\n", 'quantity: "-1" is not a number from 0 to 1000.'),
        ("title,artist\n ,Air\n", "title: This field is required."),
        ("title,artist\nNaN,Air\n", "title: This field is required."),
        ("title,sku\nMoon\x00,1\n", "title: Null characters are not allowed."),
        (f"title,sku\n{'x' * 256},{'y' * 101}\n", f"title: {LONG % 255}; sku: {LONG % 100}"),
        ("title,tags\nMoon,%s\n" % ("x" * 101), "tags 0: Ensure this field has no more than 100 characters."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_row_is_said_by_field(text: str, said: str) -> None:
    assert reason(text) == said


def test_the_limits_are_those_of_the_api() -> None:
    assert reason("title,year\nMoon,19755\n").startswith("year: Date has wrong format.")
    assert reason("title,price_usd\nMoon,0\n") == "price_override_usd: Ensure this value is greater than 0."


def test_any_csv_is_read_by_its_map() -> None:
    text = 'Cikkszám;Termék Név;Bruttó Ár;Label;Kép\nA-1;"Prince / Gold\r\nExperience";1.785,50;"NPG, WB";NaN\n'
    imported = product(text, mapping={"title": "Termék Név", "sku": "cikkszám", "price": "Bruttó Ár", "upc": "Kép"})
    assert imported.values == {
        "type": "physical",
        "title": "Prince / Gold\nExperience",
        "sku": "A-1",
        "price_override_usd": Decimal("1785.50"),
    }
    assert imported.music_label_name == "NPG"


def test_the_type_is_the_one_asked_for_or_the_one_a_column_says() -> None:
    assert values("title\nMoon\n", type="digital")["type"] == "digital"
    assert values("title,kind\nMoon,nft\n", mapping={"type": "kind"})["type"] == "nft"


def test_an_id_column_that_a_person_names_is_the_claim() -> None:
    header = "Item No,title\n"
    first = product(header + "7,Moon\n", mapping={"external_id": "Item No"})
    renamed = product(header + "7,Moon Safari\n", mapping={"external_id": "Item No"})
    assert first.claim == renamed.claim == "external:item no:7"
    assert first.values is not None
    assert (first.values["external_id"], first.values["external_id_title"]) == ("7", "Item No")


def test_a_column_that_is_merely_called_id_does_not_mix_two_files_up() -> None:
    first, other = "id,title\n1,Moon\n", "id,title\n1,Sun\n"
    assert product(first).claim != product(other).claim
    assert values(first)["external_id"] == values(other)["external_id"] == "1"


def test_a_row_without_an_id_is_claimed_by_what_it_says_whatever_its_spelling() -> None:
    claims = {
        product(text).claim
        for text in (
            "title,artist,year\nDébut,Björk,1993\n",
            "title,artist,year\n DÉBUT ,  BJÖRK,1993\n",
            "title,artist,year\nDe\u0301but,Bjo\u0308rk,1993.0\n",
        )
    }
    assert len(claims) == 1
    assert product("title,artist,year\nDébut,Björk,1994\n").claim not in claims
    assert product("title,artist,year,catno\nDébut,Björk,1993,TPLP31\n").claim not in claims


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Krill (4)", "Krill"),
        ("DJ Panik (3), Dijeyow, Kit (33)", "DJ Panik, Dijeyow, Kit"),
        ("Vendetta (2) & Barber (3) & Bad Kid", "Vendetta & Barber & Bad Kid"),
        ("Bone Crusher (2) vs. Sizzla", "Bone Crusher vs. Sizzla"),
        ("The Velvet Underground & Nico (3)", "The Velvet Underground & Nico"),
        ("Jinx (In Dub)", "Jinx (In Dub)"),
        ("(EchO)", "(EchO)"),
        ("(2)", "(2)"),
        ("Sunn O)))", "Sunn O)))"),
    ],
)
def test_namesakes_lose_their_numbers(given: str, kept: str) -> None:
    assert without_homonyms(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Astralwerks, Astralwerks", "Astralwerks"),
        ("Akashic Records (23)", "Akashic Records"),
        ("Not On Label (David Bazan Self-released)", "Not On Label (David Bazan Self-released)"),
        ("?", None),
        (" , ", None),
    ],
)
def test_the_first_label_counts(given: str, kept: str | None) -> None:
    assert first_label(given) == kept


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("15P-002, 15P002", "15P-002, 15P002"),
        ("EKS 1, EKS 1", "EKS 1"),
        ("none", None),
        ("?", None),
        (", ".join(f"{n:09}" for n in range(20)), ", ".join(f"{n:09}" for n in range(9))),
    ],
)
def test_catalogue_numbers_stay_together(given: str, kept: str | None) -> None:
    assert catalog_number(given) == kept


def test_formats_are_lists() -> None:
    assert formats("LP, Album, RE") == ["LP", "Album", "RE"]
    assert formats("2xLP") == ["2xLP"]
    assert formats('7""') == ['7"']
    assert formats('12", Gre + 12", Blu') == ['12"', "Gre", "Blu"]
    assert formats(" , ") is None


@pytest.mark.parametrize(
    ("given", "read"),
    [("1971", "1971"), ("0", None), ("0000", None), ("1971.0", "1971"), ("1971-00-00", "1971"), ("1971-05-00", "1971"),
     ("1971-05-03", "1971-05-03"), ("19755", "19755"), ("MCMLXXI", "MCMLXXI")],
)  # fmt: skip
def test_years_of_exports_are_read(given: str, read: str | None) -> None:
    assert year(given) == read


@pytest.mark.parametrize(
    ("given", "code"),
    [("Mint (M)", "mint"), ("Near Mint (NM or M-)", "near_mint"), ("Very Good Plus (VG+)", "vg_plus"),
     ("Very Good (VG)", "vg"), ("Good Plus (G+)", "good_plus"), ("Good (G)", "good"), ("Fair (F)", "fair"),
     ("Poor (P)", "poor"), ("VG+", "vg_plus"), ("nm", "near_mint"), ("Generic", None)],
)  # fmt: skip
def test_goldmine_grades_are_codes(given: str, code: str | None) -> None:
    assert grade(given, GRADES) == code


def test_sleeves_have_grades_of_their_own() -> None:
    assert [grade(name, SLEEVE_GRADES) for name in ("Generic", "Not Graded", "No Cover", "Mint (M)")] == [
        "generic",
        "not_graded",
        "no_cover",
        "mint",
    ]


@pytest.mark.parametrize(
    ("given", "amount"),
    [("100.0", "100.0"), ("$1,234.50", "1234.50"), ("€ 1.234,50", "1234.50"), ("12,5", "12.5"), ("1,234", "1234"),
     ("USD 9.99", "9.99"), ("free", "free")],
)  # fmt: skip
def test_prices_of_every_country_are_read(given: str, amount: str) -> None:
    assert price(given) == amount


def test_blank_is_nothing() -> None:
    assert [plain(cell) for cell in ("", "  ", "NaN", "nan", " x ", "Nan")] == [None, None, None, None, "x", "Nan"]
