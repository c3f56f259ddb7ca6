"""The tables of faults that `make mutants` tries: each row still fits the code."""

from __future__ import annotations

from collections import Counter

from mutants.table import HOUSE, faults

LEAST = 300


def test_every_fault_can_be_put_in() -> None:
    """Its text stands in its file exactly once, what it becomes is another, and its tests are there; no row stands twice."""
    rows = list(faults())
    wrong = []
    for fault in rows:
        try:
            fault.applied()
        except (ValueError, OSError) as found:
            wrong.append(str(found))
        tests = [word.partition("::")[0] for word in fault.tests if word.startswith("tests/")]
        wrong += [f"{fault.room}: {path} is not there" for path in tests if not (HOUSE / path).is_file()]
        wrong += [f"{fault.room}: {fault.means}: changes nothing"] if fault.old == fault.new or not tests else []
    assert wrong == []
    assert [row for row, count in Counter((each.file, each.old, each.new) for each in rows).items() if count > 1] == []
    assert len(rows) >= LEAST
