"""May the register hold these claims, and are they written as they must be?

UU 24/2013 art 84 elements, religion and blood type are refused here, in code, whatever a policy says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import NoReturn

from gateway.claims import CLAIMS
from gateway.register.regions import DEPTHS, load

LONGEST_TEXT = 200
REQUIRED = ("name", "regency")

_CLAIMS = frozenset(CLAIMS)
_REGIONS = tuple(zip(("province", "regency", "district", "village"), DEPTHS, strict=True))
_REGION_NAMES = tuple(name for name, _ in _REGIONS)
_ART_84 = frozenset(
    {"disability", "fingerprint", "fingerprints", "iris", "signature", "aib"}
    | {"disabilitas", "cacat", "sidik_jari", "iris_mata", "tanda_tangan"}
)
_NEVER = frozenset({"religion", "agama", "blood_type", "golongan_darah"})
_CARD_DIGITS = 16
_ISO_LENGTH = 10


class LineFault(ValueError):
    """A line cannot be taken; the text names the member and the rule, never a NIK or a claim's value."""


def check_claims(claims: Mapping[str, str], today: date) -> None:
    """Raise `LineFault` unless `claims` are claims that a record may hold as of `today`."""
    if not claims.keys() <= _CLAIMS:
        refuse_member(next(name for name in claims if name not in _CLAIMS), "claims.")
    for required in REQUIRED:
        if required not in claims:
            raise LineFault(f"claims.{required}: required")
    texts = claims.values()
    if max(map(len, texts)) > LONGEST_TEXT:
        _refuse(claims, lambda text: len(text) > LONGEST_TEXT, f"longer than {LONGEST_TEXT} characters")
    if not "".join(texts).isprintable():  # of all spaces only U+0020 counts as printable; surrogates do not
        _refuse(claims, lambda text: not text.isprintable(), "holds a control character or one that cannot be shown")
    if "" in map(str.strip, texts):
        _refuse(claims, lambda text: not text.strip(), "empty; leave out what is not recorded")
    _check_forms(claims, today)
    _check_regions(claims)


def _check_forms(claims: Mapping[str, str], today: date) -> None:
    born = claims.get("birth_date")
    if born is not None and parse_day(born, "claims.birth_date") > today:
        raise LineFault("claims.birth_date: lies in the future")
    if claims.get("sex", "M") not in ("M", "F"):
        raise LineFault("claims.sex: must be M or F")
    card = claims.get("family_card_number")
    if card is not None and not (len(card) == _CARD_DIGITS and card.isascii() and card.isdigit()):
        raise LineFault("claims.family_card_number: must be 16 digits")
    for name in ("rt", "rw"):
        number = claims.get(name, "1")
        if not (len(number) <= 3 and number.isascii() and number.isdigit()):  # noqa: PLR2004  001 to 999
            raise LineFault(f"claims.{name}: must be one to three digits")


def _check_regions(claims: Mapping[str, str]) -> None:
    fault = _region_fault(tuple(map(claims.get, _REGION_NAMES)))
    if fault:
        raise LineFault(fault)


@lru_cache(maxsize=1 << 16)  # neighbours share them
def _region_fault(codes: tuple[str | None, ...]) -> str:
    """What is wrong with codes of `_REGIONS`, each within the one before it; empty when nothing is."""
    wider, wider_name = "", ""
    for (name, digits), code in zip(_REGIONS, codes, strict=True):
        if code is None:
            continue
        if not (len(code) == digits and code.isascii() and code.isdigit()):
            return f"claims.{name}: must be {digits} digits, the Ministry's code without dots"
        if name == "regency" and code not in load().regencies:
            # Its feed would never come, and nobody could be sent there.
            return "claims.regency: no regency of today has this code"
        if not code.startswith(wider):
            return f"claims.{name}: does not lie in claims.{wider_name}"
        wider, wider_name = code, name
    return ""


@lru_cache(maxsize=1 << 16)
def _day(text: str) -> date | None:
    # fromisoformat takes 20260101 and week dates too: the length and the dashes leave one form.
    if len(text) != _ISO_LENGTH or text[4] != "-" or text[7] != "-" or not text.isascii():
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def parse_day(text: str, member: str) -> date:
    """The day that `text` writes as YYYY-MM-DD. Raises `LineFault` naming `member`."""
    day = _day(text)
    if day is None:
        raise LineFault(f"{member}: must be a real date, written YYYY-MM-DD")
    return day


def refuse_member(name: str, where: str = "") -> NoReturn:
    """Raise the `LineFault` for a member called `name` that has no place here; `where` is a prefix like `claims.`."""
    plain = name.lower().strip()
    if plain in _ART_84:
        raise LineFault(f"{where}{plain}: never held here, UU 24/2013 art 84 closes this element to everybody")
    if plain in _NEVER:
        raise LineFault(f"{where}{plain}: never held here, no purpose of a verification needs it")
    # A name that is not plain may be data in the wrong place.
    shown = name if name.isascii() and name.isidentifier() and not any(map(str.isdigit, name)) else "a member"
    raise LineFault(f"{where}{shown[:40]}: unknown")


def _refuse(claims: Mapping[str, str], faulty: Callable[[str], bool], rule: str) -> NoReturn:
    name = next(name for name, text in claims.items() if faulty(text))
    raise LineFault(f"claims.{name}: {rule}")
