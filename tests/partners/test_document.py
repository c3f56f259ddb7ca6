"""Does an agreement that was written down read back the same?"""

from __future__ import annotations

from datetime import date
from ipaddress import IPv4Network, IPv6Network

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.partners.agreement import Agreement, AgreementState, Disclosure, Limits, PurposeTerms
from gateway.partners.document import digest_of, from_document, to_document, written_fields
from gateway.partners.lifecycle import examine
from gateway.partners.present import Present
from gateway.partners.purposes import DEMANDS, LEGAL_BASES, TIER_1, TIER_2, PurposeCatalogue
from gateway.partners.terms import PartnerEntry

_WORDS = st.text(max_size=12)
_WHOLE = st.integers(min_value=0, max_value=2**53)
_CLAIMS = st.lists(st.sampled_from(sorted(TIER_1 | TIER_2)), max_size=4, unique=True).map(tuple)
_NETWORKS = st.one_of(
    st.builds(lambda high: IPv4Network((high << 8, 24)), st.integers(0, 2**24 - 1)),
    st.builds(lambda high: IPv6Network((high << 64, 64)), st.integers(0, 2**64 - 1)),
)
_FIELDS = st.dictionaries(
    _WORDS,
    st.recursive(
        st.none() | st.booleans() | _WHOLE | _WORDS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
_TERMS = st.builds(
    PurposeTerms,
    purpose=_WORDS,
    legal_basis=st.sampled_from(sorted(LEGAL_BASES)),
    decide=_CLAIMS,
    inform=_CLAIMS,
    disclosure=st.sampled_from(Disclosure),
    attempts=_WHOLE,
    demands=st.frozensets(st.sampled_from(sorted(DEMANDS))),
    tells_order=st.booleans(),
    sector_law=_WORDS,
    justification=_WORDS,
)
_AGREEMENTS = st.builds(
    Agreement,
    id=_WORDS,
    partner=_WORDS,
    version=_WHOLE,
    state=st.sampled_from(AgreementState),
    digest=_WORDS,
    starts=st.integers(-(2**53), 2**53),
    ends=_WHOLE,
    purposes=st.dictionaries(_WORDS, _TERMS, max_size=3),
    limits=st.builds(Limits, _WHOLE, _WHOLE, _WHOLE, _WHOLE, st.booleans(), _WHOLE),
    networks=st.lists(_NETWORKS, max_size=3).map(tuple),
    fields=_FIELDS,
    suspension=_WORDS,
    suspended=st.frozensets(_WORDS, max_size=3),
)


@given(agreement=_AGREEMENTS)
def test_round_trip_is_exact(agreement: Agreement) -> None:
    """Any agreement survives its document, and the document survives JSON, with the same digest."""
    document = to_document(agreement)
    assert from_document(document) == agreement
    read = from_document(msgspec.json.decode(msgspec.json.encode(document)))
    assert read == agreement
    assert digest_of(read) == digest_of(agreement)


def test_example_survives_the_store(agreement: Agreement) -> None:
    """What was read from a file survives JSON in any order of keys."""
    stored = msgspec.json.encode(to_document(agreement), order="sorted")
    assert from_document(msgspec.json.decode(stored)) == agreement


@pytest.mark.parametrize("member", ["digest", "purposes", "suspended"])
def test_incomplete_document_is_refused(member: str, agreement: Agreement) -> None:
    """A document that lacks a member is no agreement."""
    document = to_document(agreement)
    del document[member]
    with pytest.raises(KeyError):
        from_document(document)


def test_next_version_starts_from_the_same_fields(agreement: Agreement, catalogue: PurposeCatalogue) -> None:
    """The fields written of an agreement read as the very agreement, to the digest."""
    fields = written_fields(to_document(agreement))
    held = agreement.fields["partner"]
    assert isinstance(held, dict)
    partner = PartnerEntry(agreement.partner, held["name"], held["class"], held["exemption"])
    read = examine(fields, partner, agreement.id, agreement.version, catalogue, Present(date(2026, 11, 24)))
    assert (read.missing, read.faults) == ((), ())
    assert read.digest == digest_of(agreement)
