"""Time and chance: ids that sort, texts of one length, and the days and months of Asia/Jakarta."""

from __future__ import annotations

import re
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import (
    DAY,
    HOUR,
    SECOND,
    SystemClock,
    SystemEntropy,
    jakarta_date,
    jakarta_midnight,
    parse_rfc3339,
    rfc3339,
    rfc3339_seconds,
    uuid7,
)

ENTROPY = SystemEntropy()
instants = st.integers(0, 4_102_444_800 * SECOND)  # up to 2100
NEW_YEAR = parse_rfc3339("2027-01-01T00:00:00+07:00")


class Same:
    """Chance that always gives one byte."""

    def __init__(self, byte: int) -> None:
        self.byte = byte

    def bytes(self, count: int) -> bytes:
        return bytes((self.byte,)) * count


@given(instants)
def test_an_id_is_a_uuid_of_version_7(instant: int) -> None:
    """The first 48 bits are milliseconds since 1970, then version 7 and the variant of RFC 9562."""
    text = uuid7(instant, ENTROPY)
    read = UUID(text)
    assert text == str(read)
    assert (read.version, read.variant) == (7, "specified in RFC 4122")
    assert read.int >> 80 == instant // 1000


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_chance_does_not_touch_version_and_variant(byte: int) -> None:
    """All random bits zero or all one: the fixed bits stay, and all 74 others are the random ones."""
    value = UUID(uuid7(NEW_YEAR, Same(byte))).int
    random = value & ((1 << 62) - 1), value >> 64 & 0xFFF
    assert random == ((0, 0) if byte == 0 else ((1 << 62) - 1, 0xFFF))
    assert (value >> 76 & 0xF, value >> 62 & 0b11) == (7, 0b10)


@given(st.lists(instants, min_size=2, max_size=20))
def test_ids_sort_by_time(moments: list[int]) -> None:
    """As text and to the millisecond, ids stand in the order of their instants."""
    distinct = sorted({moment // 1000 for moment in moments})
    ids = [uuid7(moment * 1000, ENTROPY) for moment in distinct]
    assert ids == sorted(ids)


def test_ids_of_one_instant_differ() -> None:
    """A thousand ids of the same microsecond are a thousand ids."""
    assert len({uuid7(NEW_YEAR, ENTROPY) for _ in range(1000)}) == 1000


@given(instants)
def test_an_instant_has_exactly_milliseconds(instant: int) -> None:
    """`rfc3339` has three digits of fraction, cut off and never rounded up, and reads back as that millisecond."""
    text = rfc3339(instant)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert parse_rfc3339(text) == instant // 1000 * 1000
    assert rfc3339_seconds(instant) == text[:19] + "Z"


def test_threads_do_not_mix_up_their_instants() -> None:
    """Two threads that write different seconds at once each get their own."""
    wrong: list[str] = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def write(instant: int) -> None:
        text = f"{datetime.fromtimestamp(instant // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.000Z"
        wrong.extend(told for _ in range(20_000) if (told := rfc3339(instant)) != text)

    try:
        threads = [threading.Thread(target=write, args=(NEW_YEAR + at * SECOND,)) for at in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T07:00:00+07:00", 0),
        ("1969-12-31T23:59:59.5Z", -SECOND // 2),
        ("2026-11-24T02:11:09.123456Z", 1_795_486_269_123_456),
    ],
)
def test_an_instant_is_read_with_its_offset(text: str, instant: int) -> None:
    """RFC 3339 with any offset names one instant, to the microsecond."""
    assert parse_rfc3339(text) == instant


@pytest.mark.parametrize(
    "text", ["", "2026-11-24T02:11:09", "2026-11-24", "20261124T021109Z", "2026-W48-2T02:11:09Z", "2026-11-24T02:11Z",
    "2026-02-30T00:00:00Z"],
)  # fmt: skip
def test_what_is_not_rfc_3339_is_refused(text: str) -> None:
    """Without an offset, without seconds, in another ISO 8601 form or on no day of the calendar: ValueError."""
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)


@given(instants)
def test_days_are_those_of_jakarta(instant: int) -> None:
    """The calendar day is that of the time zone database, and begins at `jakarta_midnight`."""
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)).astimezone(ZoneInfo("Asia/Jakarta"))
    day = jakarta_date(instant)
    assert day == local.date()
    assert jakarta_midnight(day) <= instant < jakarta_midnight(day) + DAY


def test_a_jakarta_day_begins_at_17_utc() -> None:
    """The last microsecond before 17:00 UTC belongs to the day before."""
    assert jakarta_midnight(date(2027, 1, 1)) == NEW_YEAR == parse_rfc3339("2026-12-31T17:00:00Z")
    assert (jakarta_date(NEW_YEAR - 1), jakarta_date(NEW_YEAR)) == (date(2026, 12, 31), date(2027, 1, 1))


def test_the_system_tells_the_time_and_gives_chance() -> None:
    """The machine's clock is in microseconds of this century, and its chance has the length asked for."""
    assert abs(SystemClock().now() / SECOND - datetime.now(UTC).timestamp()) < HOUR / SECOND
    assert len(ENTROPY.bytes(32)) == 32
    assert ENTROPY.bytes(32) != ENTROPY.bytes(32)
