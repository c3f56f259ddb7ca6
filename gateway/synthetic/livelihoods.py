"""Which occupations, marital statuses and ages are plausible for a synthetic resident?

Tables that are filled once and read by the bits of a random word; the shares are rough, as seen in any regency.
"""

from __future__ import annotations

SINGLE, MARRIED, DIVORCED, WIDOWED = "BELUM KAWIN", "KAWIN", "CERAI HIDUP", "CERAI MATI"

_IDLE = "BELUM/TIDAK BEKERJA"
_PUPIL = "PELAJAR/MAHASISWA"
_HOME = "MENGURUS RUMAH TANGGA"
_FARMER = "PETANI/PEKEBUN"
_EMPLOYEE = "KARYAWAN SWASTA"
_LABOURER = "BURUH HARIAN LEPAS"
_TRADER = "WIRASWASTA"
_MEN = (
    *[_FARMER] * 7,
    *[_EMPLOYEE] * 7,
    *[_TRADER] * 6,
    *[_LABOURER] * 4,
    *("BURUH TANI/PERKEBUNAN", "NELAYAN/PERIKANAN", "PEDAGANG", "PEGAWAI NEGERI SIPIL", "GURU", "SOPIR"),
    *("TUKANG BATU", _IDLE),
)
_WOMEN = (
    *[_HOME] * 16,
    *[_EMPLOYEE] * 4,
    *[_FARMER] * 4,
    *[_TRADER] * 3,
    *("PEDAGANG", "GURU", "PEGAWAI NEGERI SIPIL", "BIDAN", "BURUH TANI/PERKEBUNAN"),
)
_OLD_MEN = (*[_FARMER] * 12, *["PENSIUNAN"] * 7, *[_TRADER] * 5, *[_IDLE] * 8)
_OLD_WOMEN = (*[_HOME] * 20, *[_FARMER] * 5, *["PENSIUNAN"] * 3, *[_IDLE] * 4)
_SCHOOL_AGE, _WORK_AGE, _SETTLED_AGE, _RETIREMENT = 6, 18, 24, 62
_OLDEST = 120


def _occupations(*, female: bool) -> tuple[tuple[str, ...], ...]:
    working, old = (_WOMEN, _OLD_WOMEN) if female else (_MEN, _OLD_MEN)
    young = (*[_PUPIL] * 12, *[_IDLE] * 6, *[_EMPLOYEE] * 8, *[_LABOURER] * 6)
    ages = ([_IDLE] * 32, [_PUPIL] * 32, young, working, old)
    limits = (_SCHOOL_AGE, _WORK_AGE, _SETTLED_AGE, _RETIREMENT, _OLDEST + 1)
    return tuple(
        tuple(next(row for row, limit in zip(ages, limits, strict=True) if age < limit)) for age in range(_OLDEST + 1)
    )


OCCUPATIONS = (_occupations(female=False), _occupations(female=True))
"""By sex (0 man, 1 woman), age in years (0 to 120) and five random bits."""


def _alone(age: int) -> tuple[str, ...]:
    if age < 30:  # noqa: PLR2004  the ages are the table
        return (*[SINGLE] * 15, DIVORCED)
    if age < 50:  # noqa: PLR2004
        return (*[SINGLE] * 7, *[DIVORCED] * 6, *[WIDOWED] * 3)
    if age < 65:  # noqa: PLR2004
        return (*[SINGLE] * 2, *[DIVORCED] * 5, *[WIDOWED] * 9)
    return (SINGLE, *[DIVORCED] * 2, *[WIDOWED] * 13)


ALONE = tuple(_alone(age) for age in range(_OLDEST + 1))
"""Marital status of a grown-up who lives without a spouse, by age in years and four random bits."""


def _spread(*shares: tuple[int, int]) -> tuple[int, ...]:
    # (first age of five years, share in 256): read by eight random bits.
    ages = [first + at * 5 // share for first, share in shares for at in range(share)]
    return tuple(ages[at * len(ages) // 256] for at in range(256))


HEAD_AGES = _spread(
    *((20, 12), (25, 26), (30, 32), (35, 34), (40, 33), (45, 30), (50, 26), (55, 21), (60, 16), (65, 12), (70, 7)),
    *((75, 4), (80, 2), (85, 1)),
)
"""Age of the head of a family by eight random bits."""

CHILDREN = (0, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4)
"""How many children a mother bears in the end, by four random bits."""
