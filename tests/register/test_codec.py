"""How records are written before they are sealed: nothing is lost, and the length tells little."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.claims import CLAIMS
from gateway.register.codec import BLOCK, decode, encode
from gateway.register.record import Condition, Record

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
RECORDS = st.builds(
    Record,
    nik=st.from_regex(r"\A[0-9]{16}\Z"),
    claims=st.dictionaries(st.sampled_from(tuple(CLAIMS)), TEXT),
    conditions=st.lists(st.builds(Condition, TEXT, TEXT, TEXT), max_size=3).map(tuple),
    biometric=st.booleans(),
)
SITI = Record("7402154505909001", {"name": "SITI AMINAH", "regency": "7402"}, (Condition("deceased", "2026-01-02"),))


@given(RECORDS)
def test_what_is_written_is_read(record: Record):
    """Any record comes back as it was, its claims as a plain dict."""
    read = decode(encode(record))
    assert read == record
    assert type(read.claims) is dict


@given(RECORDS)
def test_lengths_are_multiples_of_the_block(record: Record):
    """The plaintext's length says no more than a number of blocks."""
    assert len(encode(record)) % BLOCK == 0


def test_a_letter_more_does_not_show_in_the_length():
    """Two names of different length are written in as many bytes."""
    other = Record(SITI.nik, {**SITI.claims, "name": "SITI AMINAHA"}, SITI.conditions)
    assert len(encode(other)) == len(encode(SITI))


def test_the_form_on_disk_is_fixed():
    """Records that were sealed earlier can be read: length, then the array of version 1, then zeros."""
    claims = [SITI.claims.get(name) for name in CLAIMS]
    packed = msgspec.msgpack.encode([1, SITI.nik, True, [["deceased", "2026-01-02", ""]], claims])
    written = len(packed).to_bytes(2, "big") + packed
    assert encode(SITI) == written.ljust(-(-len(written) // BLOCK) * BLOCK, b"\0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        bytes(64),
        encode(SITI)[:-1],
        encode(SITI) + bytes(64),
        encode(SITI)[:-1] + b"\1",
        b"\xff\xff" + encode(SITI)[2:],
        encode(SITI).replace(b"\x95\x01", b"\x95\x02", 1),
    ],
)
def test_other_bytes_are_refused_without_being_shown(data: bytes):
    """Bytes that were cut, lengthened or written in a later version raise, and the message shows none of them."""
    with pytest.raises(ValueError, match="bytes of a record") as raised:
        decode(data)
    assert "SITI" not in str(raised.value)


def test_a_record_beyond_all_measure_is_refused():
    """Claims that no import lets in cannot be written either."""
    with pytest.raises(ValueError, match="too long"):
        encode(Record(SITI.nik, {"name": "A" * 70_000}))
