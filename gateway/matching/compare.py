"""How do the claims that were sent compare with the record?

Pure, and nothing of a person is remembered after a call. Which rule and floor a claim has: gateway/claims.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from rapidfuzz.distance import Indel

from gateway.claims import CLAIMS, Floor
from gateway.matching import fold
from gateway.matching.bands import Band
from gateway.matching.spelling import is_old, modern, run_together, same_word, sound
from gateway.matching.titles import INITIAL_LIKE, MUHAMMAD

_BLANKS = " -._/*?\t"  # what clerks type where there is nothing to type


def compare(sent: Mapping[str, str], recorded: Mapping[str, str]) -> dict[str, Band]:
    """The band of every claim in `sent`, in that order, against the claims of a record.

    `not_recorded` where the record holds nothing but blanks and dashes. Never raises on any text; the work is bounded
    for texts of up to 200 characters.
    """
    bands = {}
    for claim, text in sent.items():
        kept = recorded.get(claim)
        if kept is None or not kept.strip(_BLANKS):
            bands[claim] = Band.NOT_RECORDED
        elif text == kept or (text := text.strip().upper()) == (kept := kept.strip().upper()):
            bands[claim] = Band.MATCH
        else:
            bands[claim] = _RULES[claim](text, kept)
    return bands


def _exact(sent: str, kept: str, floor: Floor) -> Band:  # noqa: ARG001  as every rule
    return Band.DIFFERENT  # equality was looked for before any rule was asked


def _code(sent: str, kept: str, floor: Floor) -> Band:  # noqa: ARG001  as every rule
    return Band.MATCH if sent.replace(".", "") == kept.replace(".", "") else Band.DIFFERENT


def _number(sent: str, kept: str, floor: Floor) -> Band:  # noqa: ARG001  as every rule
    sent, kept = sent.strip("RTW. "), kept.strip("RTW. ")
    if not kept:
        return Band.NOT_RECORDED
    return Band.MATCH if sent and sent.lstrip("0") == kept.lstrip("0") else Band.DIFFERENT


def _wording(sent: str, kept: str, floor: Floor) -> Band:  # noqa: ARG001  as every rule
    one, other = fold.plain(sent), fold.plain(kept)
    if not other:
        return Band.NOT_RECORDED
    return Band.MATCH if one == other else Band.DIFFERENT


def _name(sent: str, kept: str, floor: Floor) -> Band:
    one, other = fold.name(sent), fold.name(kept)
    if not other:
        return Band.NOT_RECORDED
    band = _words(one, other, floor)
    if band is Band.DIFFERENT and floor.initials and len(one) != len(other) and one:
        return _lettered(sent, kept, one, other, floor)
    return band


def _lettered(sent: str, kept: str, one: list[str], other: list[str], floor: Floor) -> Band:
    """A second look at names of which one lost a leading H. or R. that may have been an initial; `close` at best."""
    if len(one) < len(other):
        one = fold.name(sent, titled=True)
    else:
        other = fold.name(kept, titled=True)
    if len(one) != len(other) or INITIAL_LIKE.isdisjoint((one[0], other[0])):
        return Band.DIFFERENT
    return Band.DIFFERENT if _words(one, other, floor) is Band.DIFFERENT else Band.CLOSE


def _place(sent: str, kept: str, floor: Floor) -> Band:
    kind, one = fold.place(sent)
    other_kind, other = fold.place(kept)
    if not other:
        return Band.NOT_RECORDED
    band = _words(one, other, floor)
    if band is Band.MATCH and kind and other_kind and kind != other_kind:
        return Band.CLOSE  # the town and the regency around it share a name, and people use either
    if band is Band.DIFFERENT and "".join(fold.plain(sent)) == "".join(fold.plain(kept)):
        return Band.CLOSE  # KOTA BARU is KOTABARU
    return band


def _address(sent: str, kept: str, floor: Floor) -> Band:
    one, signs, quarter = fold.address(sent)
    other, other_signs, other_quarter = fold.address(kept)
    if not (other or other_signs or other_quarter):
        return Band.NOT_RECORDED
    if sorted(signs) != sorted(other_signs):
        return Band.DIFFERENT
    if not (set(quarter) <= set(other_quarter) or set(quarter) >= set(other_quarter)):
        return Band.DIFFERENT
    band = _words(one, other, floor)
    if band is Band.MATCH and (signs != other_signs or quarter != other_quarter):
        return Band.CLOSE
    return band


def _words(one: list[str], other: list[str], floor: Floor) -> Band:
    """The band of two lists of folded words."""
    if one == other:
        return Band.MATCH
    if not one or not other:
        return Band.DIFFERENT
    text, other_text = " ".join(one), " ".join(other)
    old = is_old(text) or is_old(other_text)
    aligned = len(one) == len(other)
    unlike = _unlike(one, other, old=old) if aligned else []
    if aligned and not unlike:
        return Band.MATCH
    if old:
        text, other_text = " ".join(map(modern, one)), " ".join(map(modern, other))
    left, right = sound(text), sound(other_text)
    if aligned:
        # The very order that was judged already is none: BUDI Z. is not BUDI S., though Z and S sound alike.
        moved = floor.order and left != right and sorted(left) == sorted(right)
        near = _is_near(left, right, unlike, floor) or moved
    else:
        near = left[0][0] == right[0][0] and run_together(left) == run_together(right)
    return Band.CLOSE if near else Band.DIFFERENT


def _unlike(one: list[str], other: list[str], *, old: bool) -> list[int]:
    """Where two lists of one length hold different words, old spelling looked through."""
    unlike = [at for at, word in enumerate(one) if word != other[at]]
    if unlike[0] == 0 and _is_muhammad(one, other):
        del unlike[0]
    return [at for at in unlike if not same_word(one[at], other[at])] if old else unlike


def _is_muhammad(one: list[str], other: list[str]) -> bool:
    """Whether both names begin with Muhammad, one of them written M."""
    return len(one) > 1 and ((one[0] == "M" and other[0] == MUHAMMAD) or (one[0] == MUHAMMAD and other[0] == "M"))


def _is_near(left: list[str], right: list[str], unlike: list[int], floor: Floor) -> bool:
    """Whether the words at `unlike` differ only in sound-alike letters, initials, and one of them in a letter."""
    initial = slip = False
    for at in unlike:
        x, y = left[at], right[at]
        if len(x) == 1 or len(y) == 1:
            if not floor.initials or x[0] != y[0] or len(x) == len(y):
                return False
            initial = True
        elif x != y:
            if slip or not _is_slip(x, y, floor.similarity):
                return False
            slip = True
    # An initial is believed beside a whole word alone: A. R. is nobody.
    return not initial or any(len(x) > 1 < len(y) for x, y in zip(left, right, strict=True))


def _is_slip(x: str, y: str, similarity: float) -> bool:
    """Whether two words are one with a letter too many or too few; beginnings and endings tell persons apart."""
    return x[0] == y[0] and x[-2:] == y[-2:] and Indel.normalized_similarity(x, y, score_cutoff=similarity) > 0


class _Rule(Protocol):
    def __call__(self, sent: str, kept: str, floor: Floor) -> Band: ...


RULES: Mapping[str, _Rule] = {
    "exact": _exact,
    "name": _name,
    "place": _place,
    "address": _address,
    "wording": _wording,
    "number": _number,
    "code": _code,
}
"""How claims are compared once plain equality has failed, by the word that a row of the claims has for it."""
_NO_FLOOR = Floor(1.0, initials=False, order=False)
_RULES: Mapping[str, Callable[[str, str], Band]] = {
    name: partial(RULES[row.rule], floor=row.floor or _NO_FLOOR) for name, row in CLAIMS.items()
}
