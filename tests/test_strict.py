"""Is a member that stands twice found wherever it stands, and nothing else refused?"""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.strict import MemberTwice, read_strictly, require_all_once, require_once

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


@given(document=_documents, ascii_only=st.booleans(), spaced=st.booleans())
def test_what_names_nothing_twice_is_let_be(document: object, *, ascii_only: bool, spaced: bool) -> None:
    """Whatever it holds, however it is written."""
    raw = json.dumps(document, ensure_ascii=ascii_only, indent=1 if spaced else None).encode()
    require_all_once(raw)
    assert read_strictly(raw) == document


@given(members=st.dictionaries(st.text('ab"\\:é ', max_size=4), _texts, min_size=1, max_size=4), data=st.data())
def test_a_member_twice_is_found(members: dict[str, str], data: st.DataObject) -> None:
    """At any depth, with any name and value, escaped or not."""
    name = data.draw(st.sampled_from(sorted(members)))
    value, ascii_only = data.draw(_texts), data.draw(st.booleans())
    pairs = [*members.items(), (name, value)]
    told = ",".join(f"{json.dumps(one, ensure_ascii=ascii_only)} : {json.dumps(two)}" for one, two in pairs)
    before, after = data.draw(st.sampled_from([("{", "}"), ('{"x":{', "}}"), ('[1,{"y":[{', "}]}]")]))
    raw = before + told + after
    with pytest.raises(MemberTwice):
        require_all_once(raw.encode())
    with pytest.raises(MemberTwice):
        read_strictly(raw)


def test_parts_that_are_asked_one_by_one_are_let_be() -> None:
    """What stands under `apart` is another's to ask; the object that it stands in is not."""
    raw = b'{"a": "\\u0020", "items": [{"b": 1, "b": 2}]}'
    require_once(raw, msgspec.json.decode(raw), "items")
    with pytest.raises(MemberTwice):
        require_once(raw, msgspec.json.decode(raw))


def test_escapes_do_not_make_up_for_a_member_that_was_dropped() -> None:
    """Four quotes went with the first member, four came as escapes: their number is the same, and it is found."""
    with pytest.raises(MemberTwice):
        require_all_once(b'{"a": "", "a": "\\u0022\\u0022\\u0022\\u0022"}')
