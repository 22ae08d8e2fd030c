"""How much a few decoded characters look like Western text, from a non-ASCII character and its neighbours alone."""

import re

_COMMON = frozenset("áàâäãåçéèêëíìîïñóòôöõøúùûüæßðþý")
_UNCOMMON = frozenset("šžœÿı")
_CONSONANTS = frozenset("çñßšžðþbcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZÇÑŠŽ")
_COMMON_CAPITALS = frozenset("ÁÀÂÄÃÅÇÉÈÊËÍÎÏÑÓÔÖØÚÜÆÞÐ")
# What follows the apostrophe of don’t, it’s, we’ll, they’re, I’ve, I’d, I’m; and of rock ’n’ roll.
_CONTRACTED = re.compile(r"(s|t|ll|re|ve|d|m|n|em|til|cause)(?![^\W\d_])", re.IGNORECASE)
# L’Amour, d’automne, O’Brien, ’n’; but not the día, días, río of Spanish.
_ELIDED = re.compile(r"[ldcjmtsn]’(?!as?\b|os?\b)[aeiouyhàâéèêîôœ]|[OD]’[A-Z]|n’(?!\w)", re.IGNORECASE)
_ALONE = frozenset("àéèóíòäåö")
_SELDOM_LAST = frozenset("ìîâôûòù")
_FIELD_STARTS = frozenset('\n\r,;\t|"')
NOT_A_CHARACTER = -8.0


def plausibility(text: str, start: int, end: int) -> float:
    """Return the sum over the characters from `start` to `end`, none ASCII: above 0 is likely, below is not."""
    return sum(_score(text, i) for i in range(start, end))


def _score(text: str, i: int) -> float:
    c = text[i]
    before = text[i - 1] if i else " "
    after = text[i + 1] if i + 1 < len(text) else " "
    if c == "\ufffd" or c < "\xa0":
        return NOT_A_CHARACTER
    if c in "ﬁﬂƒˆ˜ªºµπΩ":
        return -2.0
    if c.isalpha():
        return _lower(c, before, after) if c.islower() else _capital(c, before, after)
    return _sign(text, i, before, after)


def _lower(c: str, before: str, after: str) -> float:
    if not before.isalpha() and not after.isalpha():
        return 0.0 if c in _ALONE and not before.isdigit() else -1.0
    score = 2.0 if c in _COMMON else 0.9
    if c == "œ":
        return 2.5 if after == "u" else 0.5
    if before in _FIELD_STARTS:
        score -= 0.5
    if c in _SELDOM_LAST and not after.isalpha():
        score -= 0.7
    if after.isalpha() and after.isupper():
        return -2.0
    is_consonant = c in _CONSONANTS
    for neighbour in (before, after):
        if neighbour.isalpha() and (neighbour in _CONSONANTS) == is_consonant:
            score -= 0.7
    return score


def _capital(c: str, before: str, after: str) -> float:
    if before.isalpha() and before.islower():
        return -3.0
    if before.isalpha() and after.isalpha() and after.islower():
        return -1.5
    if not before.isalpha() and not after.isalpha():
        return -0.8
    score = 2.2 if c in _COMMON_CAPITALS else 0.9
    return score - 1.0 if c in _CONSONANTS and after in _CONSONANTS else score


def _sign(text: str, i: int, before: str, after: str) -> float:
    c = text[i]
    inside = before.isalpha() and after.isalpha()
    if c == "’":
        if _CONTRACTED.match(text, i + 1):
            return 3.0
        if not text[i - 2 : i - 1].isalpha() and _ELIDED.match(text, i - 1):
            return 2.5
        if inside:
            return -1.0
        return 2.5 if before in "sSnN" and not after.isalpha() else 1.0
    if c in "“‘«„":
        if after.isalnum() and not before.isalnum():
            return 1.5
        return 0.6 if c == "“" and before.isalnum() and not after.isalnum() else -1.0
    if c in "”»":
        return 1.5 if not after.isalnum() else -1.0
    if c in "–—":
        return -1.0 if inside else 1.5
    if c == "…":
        return 2.0 if not after.isalnum() else -1.0
    if c in "™®":
        return 2.0 if not after.isalnum() else -2.0
    if c in "©£€½¼¾×°²³·•¡¿":
        return -2.0 if inside else 0.5
    return -2.0
