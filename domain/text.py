"""Text as it comes in: one Unicode form, nothing that a database or a screen chokes on."""

import unicodedata

NUL = "Null characters are not allowed."
MARKS = "Too many combining marks in a row."

_MARKS_LIMIT = 64
_SHORT = 256


def clean(text: str) -> str:
    """Return `text` in NFC. Raises ValueError with the message for whoever sent it."""
    if "\0" in text:
        raise ValueError(NUL)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"Surrogate characters are not allowed: U+{ord(text[error.start]):X}.") from None
    # Normalisation sorts each run of combining marks in quadratic time: 200,000 in a row take half a minute.
    if len(text) > _SHORT and _longest_run_of_marks(text) > _MARKS_LIMIT:
        raise ValueError(MARKS)
    return unicodedata.normalize("NFC", text)


def _longest_run_of_marks(text: str) -> int:
    longest = run = 0
    for character in text:
        if unicodedata.combining(character):
            run += 1
            longest = max(longest, run)
        else:
            run = 0
    return longest
