"""Is this text a NIK? Sixteen digits `PPKKCC DDMMYY SSSS`: district, birth date (women: day + 40), serial.

District codes since split or renamed stay in old NIKs, so any six digits may stand for a district.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Cause, Refused

LENGTH = 16
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # the year has no century: 29 February may be right
_DAYS = frozenset(
    f"{day + shift:02d}{month:02d}"
    for month, days in enumerate(_MONTH_DAYS, 1)
    for day in range(1, days + 1)
    for shift in (0, 40)
)


@dataclass(frozen=True, slots=True, repr=False)
class Nik:
    """A well-formed NIK; only `parse` makes one. Neither `repr` nor `str` nor a format shows its digits."""

    digits: str

    def __repr__(self) -> str:
        return "Nik(…)"

    @property
    def district(self) -> str:
        """The six-digit code of the district that issued the NIK; not where the resident lives today."""
        return self.digits[:6]

    @classmethod
    def parse(cls, text: str) -> Nik:
        """The NIK that `text` is: 16 ASCII digits and nothing else, spaces neither.

        Raises `Refused(Cause.NIK_FORMAT)` whose facts hold `fault`: `length`, `digits`, `date` or `serial`.
        """
        if len(text) != LENGTH:
            raise Refused(Cause.NIK_FORMAT, fault="length")
        if not (text.isascii() and text.isdigit()):
            raise Refused(Cause.NIK_FORMAT, fault="digits")
        if text[6:10] not in _DAYS:
            raise Refused(Cause.NIK_FORMAT, fault="date")
        if text[12:] == "0000":
            raise Refused(Cause.NIK_FORMAT, fault="serial")
        return cls(text)
