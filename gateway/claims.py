"""Which elements of a resident's data may be compared, and what is true of each? One row a claim; all else is made from it.

The order of the rows is the order in which records are stored. What is closed by law (UU 24/2013 art 84) is no claim at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Form:
    """How a value is written: what JSON Schema says of it, and the same in words."""

    schema: Mapping[str, Any]
    id: str
    en: str


@dataclass(frozen=True, slots=True)
class Floor:
    """What makes a claim `close` when it is not a `match`.

    `similarity`: least share of letters (rapidfuzz Indel, 0–1) that two spellings of one word must have in common.
    0.94 allows one letter too many or too few in a word of eight or nine and nothing in a shorter one: SUPARTO and
    SUPARNO, YULIANI and YULIANTI, twins by their names, are two persons.
    `initials`: one letter may stand for a word. `order`: the same words in another order.
    """

    similarity: float
    initials: bool
    order: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim.

    `tier` 1 is for every purpose, 2 needs a justification. `rule` is how it is compared (`matching.compare.RULES`), `floor`
    what makes it `close`. `decoy` is what the record of nobody says, compared where there is no such NIK. `cost` is what a
    wrong guess takes from the attempt budget, `guessable` whether a verdict about it alone would be an answer. `rank` is its
    place where people choose. `example` is a made-up value, `id` and `en` are its names.
    """

    name: str
    tier: int
    form: Form
    rule: str
    decoy: str
    rank: int
    example: str
    id: str
    en: str
    cost: int = 1
    guessable: bool = False
    floor: Floor | None = None


_TEXT = Form({}, "teks, 1–200 karakter", "text of 1 to 200 characters")
_DATE = Form(
    {"format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "tanggal yang ada, YYYY-MM-DD",
    "a date that exists, YYYY-MM-DD",
)
_SEX = Form({"enum": ["M", "F"]}, "M (laki-laki) atau F (perempuan)", "M or F")
_NUMBER = Form({"pattern": "^[0-9]{1,3}$"}, "1–3 angka sebagai teks", "1 to 3 digits, as text")
_CARD = Form({"pattern": "^[0-9]{16}$"}, "16 angka sebagai teks", "16 digits, as text")


def _code(digits: int) -> Form:
    return Form(
        {"pattern": f"^[0-9]{{{digits}}}$"},
        f"kode Kemendagri tanpa titik, {digits} angka sebagai teks",
        f"the Ministry's code without dots, {digits} digits as text",
    )


_NAME = Floor(0.94, initials=True, order=True)
_SECRET = Floor(0.94, initials=False, order=True)  # asked as if it were a secret, so a letter does not stand for a name
# 514 regencies, few of them alike: one letter in a word of six or seven. SOLO and SOLOK stay apart.
_PLACE = Floor(0.92, initials=False, order=False)
_ROAD = Floor(0.92, initials=False, order=True)

ROWS = (
    Claim("family_card_number", 2, _CARD, "exact", "0000000000000000", 15, "<KK>", "Nomor kartu keluarga", "Family card number"),
    Claim("name", 1, _TEXT, "name", "DECOY RESIDENT WITHOUT NIK", 1, "SITI AMINAH", "Nama lengkap", "Full name", floor=_NAME),
    Claim("birth_place", 1, _TEXT, "place", "NOWHERE", 3, "KENDARI", "Tempat lahir", "Place of birth",
          guessable=True, floor=_PLACE),
    Claim("birth_date", 1, _DATE, "exact", "1900-01-01", 2, "1990-05-05", "Tanggal lahir", "Date of birth"),
    Claim("sex", 1, _SEX, "exact", "M", 4, "F", "Jenis kelamin", "Sex", 2, guessable=True),
    Claim("marital_status", 2, _TEXT, "wording", "KAWIN", 13, "KAWIN", "Status kawin", "Marital status", 2, guessable=True),
    Claim("occupation", 2, _TEXT, "wording", "NONE AT ALL", 14, "PETANI", "Pekerjaan", "Occupation", 2, guessable=True),
    Claim("mother_name", 2, _TEXT, "name", "DECOY MOTHER", 5, "RATNA", "Nama ibu kandung", "Mother's maiden name", floor=_SECRET),
    Claim("address", 2, _TEXT, "address", "JL. DECOY NO. 0", 6, "JL MERDEKA 1", "Alamat", "Address", floor=_ROAD),
    Claim("rt", 2, _NUMBER, "number", "000", 7, "1", "RT", "RT", 2, guessable=True),
    Claim("rw", 2, _NUMBER, "number", "000", 8, "2", "RW", "RW", 2, guessable=True),
    Claim("province", 2, _code(2), "code", "00", 12, "74", "Provinsi", "Province", 2, guessable=True),
    Claim("regency", 2, _code(4), "code", "0000", 11, "7402", "Kabupaten/kota", "Regency/city", 2, guessable=True),
    Claim("district", 2, _code(6), "code", "000000", 10, "740215", "Kecamatan", "District", 2, guessable=True),
    Claim("village", 2, _code(10), "code", "0000000000", 9, "7402152001", "Desa/kelurahan", "Village", 2),
)  # fmt: skip
"""Every claim that a partner may have compared. A new one is added at the end: older records are shorter."""

CLAIMS: Mapping[str, Claim] = {row.name: row for row in ROWS}
