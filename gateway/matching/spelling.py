"""Are two different words one word, spelt in another way?

Old spelling (before 1972: oe tj dj nj sj ch j) and letters that sound alike. Nothing here is ever stored.
"""

from __future__ import annotations

import re

_EVIDENCE = re.compile(r"OE|TJ|DJ|SJ|^NJ")
_LETTERS = re.compile(r"OE|[TDSN]?J|CH")
_MODERN = {"OE": "U", "TJ": "C", "DJ": "J", "SJ": "SY", "NJ": "NY", "CH": "KH", "J": "Y"}
_MIXED = _MODERN | {"J": "J"}
_LEAST = 5  # letters of a word whose J or CH may be old: JOEL is not YUL, CHAN is not KHAN


def is_old(text: str) -> bool:
    """Whether any word of `text` (upper-case) may be in old spelling."""
    return "J" in text or "OE" in text or "CH" in text  # thrice as fast as one pattern; `forms` looks closer


def forms(word: str) -> tuple[str, ...]:
    """`word` as written, as it would be in modern spelling, and half modern; one form when it shows no old letters.

    J becomes Y only beside other old letters: TJAHJO is CAHYO, but JOKO is never YOKO. N before J is old only at the
    beginning or beside other old letters: NJOMAN is NYOMAN, PANJI is PANJI. The half modern form keeps such a J
    (SOEKARJO is SUKARJO as well as SUKARYO).
    """
    if _EVIDENCE.search(word):
        if len(word) >= _LEAST:
            return (
                word,
                _LETTERS.sub(lambda found: _MODERN[found[0]], word),
                _LETTERS.sub(lambda found: _MIXED[found[0]], word),
            )
        return word, _LETTERS.sub(lambda found: found[0] if found[0] in {"J", "CH"} else _MODERN[found[0]], word)
    if len(word) >= _LEAST and "CH" in word:
        return word, word.replace("CH", "KH")
    return (word,)


def modern(word: str) -> str:
    """`word` in modern spelling; unchanged when it shows no old letters."""
    return forms(word)[:2][-1]


def same_word(one: str, other: str) -> bool:
    """Whether either word is the other in old spelling, or both are old spellings of one."""
    if one == other:
        return True
    left, right = forms(one), forms(other)
    return other in left or one in right or (len(left) > 1 < len(right) and left[1] == right[1])


_DOUBLED = re.compile(r"(.)\1")
_RUNS = re.compile(r"(.)\1+")


def sound(text: str) -> list[str]:
    """For each word a key that words which sound alike share: RIZKI, RIZKY, RISKI; AMINAH, AMINA; SUGIYONO, SUGIONO.

    `text` is upper-case, its words parted by single spaces.
    """
    if "H" in text:
        text = (
            text.replace("KH", "H")
            .replace("CH", "H")
            .replace("DH", "D")
            .replace("TH", "T")
            .replace("SH", "S")
            .replace("PH", "P")
            .replace("GH", "G")
        )
    text = text.replace("SY", "S").replace("Y", "I").replace("Z", "S").replace("V", "P").replace("F", "P")
    text = text.replace("Q", "K").replace("X", "KS")
    if _DOUBLED.search(text):
        text = _RUNS.sub(r"\1", text)
    if "H" in text:
        return [word[:-1] if word[-1] == "H" and len(word) > 1 else word for word in text.split(" ")]
    return text.split(" ")


_ASSIMILATED = re.compile(r"UL(?=[DNRST])")


def run_together(sounds: list[str]) -> str:
    """One key for words written apart or together: NUR HIDAYAH, NURHIDAYAH; ABDUL RAHMAN, ABDURRAHMAN."""
    joined = "".join(sounds)
    return _RUNS.sub(r"\1", _ASSIMILATED.sub("U", joined))
