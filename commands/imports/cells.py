"""What one cell says: the spellings of Discogs, spreadsheets and pandas, read as a product's values."""

import re
from functools import lru_cache

GRADES = {
    "mint": "mint",
    "m": "mint",
    "near mint": "near_mint",
    "nm": "near_mint",
    "m-": "near_mint",
    "nm or m-": "near_mint",
    "very good plus": "vg_plus",
    "vg+": "vg_plus",
    "very good": "vg",
    "vg": "vg",
    "good plus": "good_plus",
    "g+": "good_plus",
    "good": "good",
    "g": "good",
    "fair": "fair",
    "f": "fair",
    "poor": "poor",
    "p": "poor",
}
SLEEVE_GRADES = GRADES | {"generic": "generic", "not graded": "not_graded", "no cover": "no_cover"}
UNKNOWN = frozenset({"?", "-", "–", "none", "n/a", "unknown"})
"""What stands for "not known" in a catalogue number or a label."""

_HOMONYM = re.compile(r"(?<=\S)\s*\(\d{1,3}\)(?=\s|[,;/&+.*]|\Z)")
_FORMAT_PARTS = re.compile(r",| \+ |;")
_WHOLE_YEAR = re.compile(r"(\d{4})(?:\.0+|-00-00|-00)?\Z", re.ASCII)
_MONTH = re.compile(r"(\d{4})-\d\d-00\Z", re.ASCII)
_ZERO = re.compile(r"0+(?:\.0+)?\Z|0000-\d\d-\d\d\Z", re.ASCII)
_GRADE = re.compile(r"([^(]*?)\s*(?:\(.*\))?\Z")
_CURRENCY = re.compile(r"[$€£¥\s\u00a0]|[A-Z]{3}(?![A-Za-z])")


def text(cell: str) -> str | None:
    """Trim; None for blank and for what pandas writes where it has nothing."""
    cell = cell.strip()
    return None if not cell or cell in ("NaN", "nan") else cell


@lru_cache(maxsize=8192)
def without_homonyms(names: str) -> str:
    """Return artist or label names without the numbers that tell namesakes apart: "Krill (4), Kit (33)"."""
    return _HOMONYM.sub("", names) if "(" in names else names


@lru_cache(maxsize=8192)
def first_label(labels: str) -> str | None:
    """Return the first of a comma list, which names one label again for each of its catalogue numbers."""
    for label in labels.split(","):
        name = without_homonyms(label.strip())
        if name and name.casefold() not in UNKNOWN:
            return name
    return None


def catalog_number(cell: str, limit: int = 100) -> str | None:
    """Return the numbers as given, each once; of a list past the limit as many whole ones as fit."""
    if cell.casefold() in UNKNOWN:
        return None
    if "," not in cell:
        return cell
    numbers = dict.fromkeys(part.strip() for part in cell.split(","))
    kept = ", ".join(number for number in numbers if number and number.casefold() not in UNKNOWN)
    while len(kept) > limit and ", " in kept:
        kept = kept.rpartition(", ")[0]
    return kept or None


def formats(cell: str) -> list[str] | None:
    """Return `2xLP, Album + 7", Single` as 2xLP, Album, 7", Single: each part once. A doubled mark is one."""
    return list(_format_parts(cell)) or None


@lru_cache(maxsize=4096)
def _format_parts(cell: str) -> tuple[str, ...]:
    parts = dict.fromkeys(part.strip() for part in _FORMAT_PARTS.split(cell.replace('""', '"')))
    return tuple(part for part in parts if part)


def year(cell: str) -> str | None:
    """Return the year or date; None for 0. What is neither comes back as it is, for the validation to name."""
    if len(cell) == 4 and cell.isdigit() and cell != "0000":
        return cell
    if _ZERO.match(cell):
        return None
    found = _WHOLE_YEAR.match(cell) or _MONTH.match(cell)
    return found[1] if found else cell


def grade(cell: str, grades: dict[str, str]) -> str | None:
    """Return the code of "Near Mint (NM or M-)", "NM" or "near mint"; None for what is no grade."""
    folded = cell.strip().casefold()
    found = _GRADE.match(folded)
    return grades.get(folded) or (grades.get(found[1]) if found else None)


def price(cell: str) -> str:
    """Return the amount with a decimal point: "€ 1.234,50" is 1234.50. Junk comes back as it is."""
    amount = _CURRENCY.sub("", cell)
    comma, point = amount.rfind(","), amount.rfind(".")
    if comma < 0:
        return amount
    if point > comma or (point < 0 and len(amount) - comma == 4):
        return amount.replace(",", "")
    return amount.replace(".", "").replace(",", ".")


def tags(cell: str) -> list[str]:
    return [tag.strip() for tag in re.split(r"[,;|]", cell) if tag.strip()]
