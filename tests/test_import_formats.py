import pytest

from commands.imports.errors import UnreadableFile
from commands.imports.formats import recognise

COLLECTION = (
    "Catalog#,Artist,Title,Label,Format,Rating,Released,release_id,CollectionFolder,Date Added,"
    "Collection Media Condition,Collection Sleeve Condition,Collection Notes"
)
INVENTORY_2020 = (
    "listing_id,artist,title,label,catno,format,release_id,status,price,listed,comments,media_condition,"
    "sleeve_condition,accept_offer,external_id,weight,format_quantity,flat_shipping,location"
)
INVENTORY_2026 = INVENTORY_2020.replace("flat_shipping,location", "location,quantity")
UPLOAD = "release_id,price,media_condition,sleeve_condition,comments,status,external_id"


def columns(header: str, **mapping: str) -> dict[str, str]:
    names = header.split(",")
    return {field: names[at] for field, at in recognise(names, mapping).columns.items()}


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (COLLECTION, "discogs-collection"),
        (INVENTORY_2020, "discogs-inventory"),
        (INVENTORY_2026, "discogs-inventory"),
        (UPLOAD, "discogs-upload"),
        ("RANK,YEAR,ALBUM,ARTIST", "csv"),
    ],
)
def test_a_file_is_known_by_its_header(header: str, name: str) -> None:
    assert recognise(header.split(",")).name == name


def test_a_collection_export_gives_all_that_a_product_needs() -> None:
    assert columns(COLLECTION) == {
        "title": "Title",
        "artist": "Artist",
        "label": "Label",
        "formats": "Format",
        "catalog_number": "Catalog#",
        "year": "Released",
        "release": "release_id",
    }


@pytest.mark.parametrize("header", [INVENTORY_2020, INVENTORY_2026])
def test_an_inventory_export_tells_the_copy_from_the_product(header: str) -> None:
    layout = recognise(header.split(","))
    names = header.split(",")
    item = {field: names[at] for field, at in layout.item.items()}
    assert "external_id" not in layout.columns
    assert item["external_id"] == "external_id"
    assert item["listing_id"] == "listing_id"
    assert ("quantity" in item) == (header is INVENTORY_2026)


def test_well_known_column_names_need_no_map() -> None:
    assert columns("RANK,YEAR,ALBUM,ARTIST") == {"title": "ALBUM", "artist": "ARTIST", "year": "YEAR"}
    assert columns("activity,album,artist,catalog,genre,id,label,url,year") == {
        "title": "album",
        "artist": "artist",
        "label": "label",
        "catalog_number": "catalog",
        "year": "year",
        "external_id": "id",
    }
    assert columns("album_id,artist,title,year,country")["external_id"] == "album_id"


def test_a_map_goes_before_what_is_known_and_the_rest_is_still_found() -> None:
    header = "Title,Name,Artist,Price EUR"
    assert columns(header, title="Name") == {"title": "Name", "artist": "Artist"}
    assert columns(header, title="name ", artist="") == {"title": "Name"}
    assert columns(header, artist_name="Name") == {"title": "Title", "artist": "Name"}


def test_an_unknown_field_or_column_is_one_line_that_lists_what_there_is() -> None:
    with pytest.raises(UnreadableFile, match=r"Unknown field 'colour' in the map\. Fields: title, artist, label, .*"):
        recognise(["a"], {"colour": "a"})
    with pytest.raises(UnreadableFile, match=r"The file has no column 'Titel'\. Columns: Name, Jahr\."):
        recognise(["Name", "Jahr", ""], {"title": "Titel"})


def test_a_file_without_a_title_column_asks_for_one() -> None:
    with pytest.raises(UnreadableFile, match=r'map one, title="Column"\. Columns: Jahr, Preis\.'):
        recognise(["Jahr", "Preis"])
