"""What is left of a written text when case, diacritics, punctuation, titles and abbreviations are gone?

Each fold gives words in the order written. Pure; nothing of a person is remembered after a call.
"""

from __future__ import annotations

import re
import unicodedata

from gateway.matching import titles

_APOSTROPHES = (
    "'`\N{ACUTE ACCENT}\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{PRIME}\N{FULLWIDTH APOSTROPHE}"
    "\N{SINGLE HIGH-REVERSED-9 QUOTATION MARK}\N{MODIFIER LETTER TURNED COMMA}\N{MODIFIER LETTER APOSTROPHE}"
    "\N{MODIFIER LETTER RIGHT HALF RING}\N{MODIFIER LETTER LEFT HALF RING}"
)
_CLOSED_UP = {ord(mark): None for mark in _APOSTROPHES}
_PLAIN = {code: " " for code in range(128) if not chr(code).isalnum()} | _CLOSED_UP
_DOTS_LEFT = {code: to for code, to in _PLAIN.items() if chr(code) not in ".,"}
_NOT_DECOMPOSED = str.maketrans(
    {"Ø": "O", "Æ": "AE", "Œ": "OE", "Đ": "D", "Ð": "D", "Ł": "L", "Þ": "TH", "Ħ": "H", "Ŋ": "NG"}
)
_COMMA = re.compile(r"\s*,\s*")


def _latin(text: str) -> str:
    """`text` in upper case without diacritics; signs that are neither letters nor digits become spaces."""
    text = unicodedata.normalize("NFKD", text.translate(_CLOSED_UP)).casefold().upper()
    kept = []
    # Upper-casing can compose anew, hence twice.
    for sign in unicodedata.normalize("NFKD", text).translate(_NOT_DECOMPOSED):
        if sign.isascii() or sign.isalnum():
            kept.append(sign)
        elif sign not in _APOSTROPHES and unicodedata.category(sign)[0] not in "MC":
            kept.append(" ")  # marks and invisible signs vanish, other punctuation parts words
    return "".join(kept)


def _upper(text: str) -> str:
    return text.upper() if text.isascii() else _latin(text)


def plain(text: str) -> list[str]:
    """The words of `text`: upper-case letters and digits; apostrophes close up, other punctuation parts."""
    return _upper(text).translate(_PLAIN).split()


def name(text: str, *, titled: bool = False) -> list[str]:
    """The words of a personal name without titles, degrees and bin/binti, Muhammad in one spelling.

    With `titled` a leading H. or R. stays, as the initial that it may be. At least one word is left of any name.
    """
    text = _upper(text)
    words = text.split()
    if not "".join(words).isalpha() or not words:
        words = _undegreed(text.translate(_DOTS_LEFT))
        if not words:
            return words
    while len(words) > 1 and words[-1] in titles.DEGREES:
        words.pop()
    if words[0] in titles.LEADING or words[:2] == ["K", "H"]:
        words = _untitled(words, titled=titled)
    if not titles.PATRONYMIC.isdisjoint(words):
        words = [word for at, word in enumerate(words) if word not in titles.PATRONYMIC or at in {0, len(words) - 1}]
    if not titles.MUHAMMADS.isdisjoint(words):
        words = [titles.MUHAMMAD if word in titles.MUHAMMADS else word for word in words]
    return words


def _untitled(words: list[str], *, titled: bool) -> list[str]:
    at, last = 0, len(words) - 1
    while at < last:
        if words[at : at + 2] == ["K", "H"] and at + 1 < last:
            at += 2
        elif words[at] in titles.LEADING and not (titled and words[at] in titles.INITIAL_LIKE):
            at += 1
        else:
            break
    return words[at:]


def _undegreed(text: str) -> list[str]:
    """The words of a name with dots or commas, less what dots or a comma show to be a degree (`, S.H., M.M.`)."""
    tokens = _COMMA.sub(" ,", text).split()
    while len(tokens) > 1 and (degree := _last_degree(tokens)):
        del tokens[-degree:]
    if len(tokens) > 1 and "." in tokens[0].rstrip(".") and tokens[0].replace(".", "") in titles.LEADING:
        del tokens[0]  # K.H.
    return " ".join(tokens).replace(".", " ").replace(",", " ").split()


def _last_degree(tokens: list[str]) -> int:
    """How many of the last tokens are one degree or nothing at all: 0, 1 or, when it is written apart, 2."""
    last = tokens[-1]
    after_comma = last[0] == ","
    bare = last.replace(".", "").lstrip(",")
    if not bare or (after_comma and bare in titles.LEADING):
        return 1
    if bare in (titles.DOTTED_DEGREES if after_comma or "." in last.rstrip(".") else titles.DEGREES):
        return 1
    head = tokens[-2].replace(".", "").lstrip(",")
    return 2 if len(tokens[:-2]) and head in titles.DEGREE_HEADS and head + bare in titles.DOTTED_DEGREES else 0


_KINDS = {
    "KAB": "KABUPATEN",
    "KABUPATEN": "KABUPATEN",
    "KOTA": "KOTA",
    "KOTAMADYA": "KOTA",
    "KODYA": "KOTA",
    "KOTIF": "KOTA",
}
_PLACES = dict.fromkeys(("JOGJA", "YOGYA", "JOGJAKARTA", "JOGYAKARTA", "YOGJAKARTA"), "YOGYAKARTA")


def place(text: str) -> tuple[str, list[str]]:
    """(`KABUPATEN`, `KOTA` or nothing, the words of the place's name): `KAB. BANDUNG` is (`KABUPATEN`, [`BANDUNG`])."""
    words = plain(text)
    kind = _KINDS.get(words[0], "") if len(words) > 1 else ""
    return kind, [_PLACES.get(word, word) for word in (words[1:] if kind else words)]


_STREET = {
    **dict.fromkeys(("JL", "JLN", "JALAN", "JLAN", "NO", "NOMOR", "NOMER", "NMR", "RT", "RW"), ""),
    **dict.fromkeys(("GG", "GNG"), "GANG"),
    **dict.fromkeys(("BLK", "BLOCK"), "BLOK"),
    **dict.fromkeys(("KP", "KPG", "KAMP", "KAMPOENG"), "KAMPUNG"),
    **dict.fromkeys(("DSN", "DUS"), "DUSUN"),
    **dict.fromkeys(("LINGK", "LK", "LING"), "LINGKUNGAN"),
    **dict.fromkeys(("PERUM", "PRM", "PERUMNAS", "PERUMH"), "PERUMAHAN"),
    **dict.fromkeys(("KOMP", "KOMPL", "KOMPLEKS", "KOMPLEX", "KPLK", "KOMPLEK"), "KOMPLEK"),
    **dict.fromkeys(("JEND", "JENDRAL", "JENDERAL", "LETJEN", "MAYJEN", "BRIGJEN", "KAPTEN", "KAPT", "KOL"), ""),
    **{roman: str(value) for value, roman in enumerate(("II", "III", "IV", "_", "VI", "VII", "VIII", "IX"), 2)},
}
_RT_RW = re.compile(r"\b(?:RT\W*RW|RT|RW)\W*\d+(?:\W*/\W*(?:RW\W*)?\d+)?")
_PIECES = re.compile(r"\d+|[^\W\d_]+")


def address(text: str) -> tuple[list[str], list[str], list[int]]:
    """(words, signs in the order written, numbers of RT and RW).

    Words are of two letters or more, abbreviations written out, JALAN and NOMOR left out. Signs are numbers without
    leading zeros and single letters: what tells one door from the next.
    """
    text = _upper(text).translate(_CLOSED_UP)
    quarter: list[int] = []
    words: list[str] = []
    signs: list[str] = []
    for piece in _PIECES.findall(_RT_RW.sub(lambda found: _set_aside(found[0], quarter), text)):
        if piece[0].isdigit():
            signs.append(piece.lstrip("0"))
        elif word := _STREET.get(piece, piece):
            (words if len(word) > 1 else signs).append(word)
    return words, signs, quarter


def _set_aside(found: str, quarter: list[int]) -> str:
    quarter.extend(int(number) for number in re.findall(r"\d+", found))
    return " "
