"""How is a long ledger checked on every core? Stretches of whole tiles in processes of their own, put together here.

A process proves entries to fit by themselves and gives their hashes; tiles, head and marks are held against each other in one
place, by the code of a check in one process. That one has the last word: where anything does not fit it looks again, and names it.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import takewhile
from multiprocessing import get_context

from gateway.clock import Clock
from gateway.errors import LedgerFault
from gateway.ledger.check.check import CheckedPart, Report, hold, stretch_of, sweep
from gateway.store.base.engine import Database
from gateway.store.ledger.entries import LedgerOf

STRETCH = 65_536  # entries of a stretch: whole tiles, some seconds' tenth of work


def check_in_parts(  # noqa: PLR0913  as `sweep`, and how it is divided
    database: Database,
    clock: Clock,
    processes: int,
    progress: Callable[[int], None],
    marks: Mapping[int, bytes],
    stretch: int = STRETCH,
) -> Report:
    """Verify a whole ledger as `sweep` does, by so many processes. Raises LedgerFault as `sweep` does, and StoreUnavailable."""
    if processes > 1:
        try:
            return _in_parts(database, clock, processes, progress, marks, stretch)
        except LedgerFault:
            progress(0)
    with LedgerOf(database).stored() as stored:
        return sweep(stored.head, stored.pages, stored.tiles, stored.kept, progress, marks)


def _in_parts(  # noqa: PLR0913  as `check_in_parts`
    database: Database,
    clock: Clock,
    processes: int,
    progress: Callable[[int], None],
    marks: Mapping[int, bytes],
    stretch: int,
) -> Report:
    url = database.engine.url.render_as_string(hide_password=False)
    with (
        LedgerOf(database).stored() as stored,
        ProcessPoolExecutor(processes, get_context("spawn"), _open_here, (url, clock)) as pool,
    ):
        head = stored.head
        if stored.beyond:
            raise LedgerFault(head.size, "more entries are stored than the head counts, or before the first")

        def parts() -> Iterator[CheckedPart]:
            running: deque[tuple[int, Future[CheckedPart | tuple[int, str]]]] = deque()
            for first in range(0, head.size, stretch):
                end = min(first + stretch, head.size)
                running.append((end - first, pool.submit(_stretch, first, end)))
                if len(running) > 2 * processes:
                    yield _whole(*running.popleft())
            while running:
                yield _whole(*running.popleft())

        return hold(head, parts(), stored.tiles, stored.kept, progress, marks)


def _whole(count: int, coming: Future[CheckedPart | tuple[int, str]]) -> CheckedPart:
    """A stretch that has as many entries as it should. Raises LedgerFault."""
    part = coming.result()
    if not isinstance(part, CheckedPart):
        raise LedgerFault(*part)
    if len(part.hashes) != count:
        raise LedgerFault(-1, "entries are missing")
    return part


_here: list[LedgerOf] = []  # of a process that checks stretches


def _open_here(url: str, clock: Clock) -> None:
    gc.disable()  # millions of small things and not one cycle
    _here.append(LedgerOf(Database(url, clock)))


def _stretch(first: int, end: int) -> CheckedPart | tuple[int, str]:
    """Entries `first` to `end - 1`; (index, words) of the first that does not fit: a fault of ours cannot be sent as it is."""
    with _here[0].stretch() as (_, pages_from):
        pages = ([row for row in page if row[0] < end] for page in pages_from(first))
        try:
            return stretch_of(takewhile(bool, pages), first)
        except LedgerFault as fault:
            return fault.index, fault.what
