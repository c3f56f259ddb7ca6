"""The checkpoint outside the database: what does not extend it is refused, on both engines."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from logs import ENTROPY, ORIGIN, VKEY, Log, log_in, signers
from sqlalchemy import delete, select, text, update

from gateway.errors import LedgerForked
from gateway.ledger.log.merkle import leaf_hash
from gateway.ledger.publication.checkpoint import Checkpoint, sign, successor, verify
from gateway.ledger.publication.keeper import Keeper, locked
from gateway.store.base.statements import put_many
from gateway.store.ledger.tables import ledger_entries, ledger_head, ledger_open, ledger_tiles
from gateway.store.sealing.declaration import declare_new_log

PERSONS = ("Petugas Satu", "Petugas Dua")


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    """A log of 300 entries on each engine."""
    with log_in(database_url) as log:
        yield log.grow(300)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Where a node keeps its checkpoint."""
    return tmp_path / "node" / "ledger.checkpoint"


def cut(log: Log, size: int, head: tuple[int, bytes]) -> None:
    """Make the database what it was at `size`, as restoring an old backup does."""
    with log.database.engine.begin() as connection:
        connection.execute(delete(ledger_entries).where(ledger_entries.c.leaf_index >= size))
        connection.execute(delete(ledger_tiles).where((ledger_tiles.c.number + 1) * 256 > size))
        connection.execute(update(ledger_head).values(size=head[0], frontier=head[1]))
        connection.execute(delete(ledger_open))
        index, begun = ledger_entries.c.leaf_index, size - size % 256
        leaves = connection.execute(select(ledger_entries.c.leaf).where(index >= begun).order_by(index)).scalars()
        put_many(connection, ledger_open, [(begun, b"".join(leaf_hash(bytes(leaf)) for leaf in leaves))])


def head_of(log: Log) -> tuple[int, bytes]:
    head = log.reader.head()
    return head.size, head.frontier


def test_a_checkpoint_is_published_when_entries_came(log: Log, kept: Path) -> None:
    """The first one counts what is there; nothing new, nothing changes; then the next one, signed and consistent."""
    keeper = log.keeper(kept)
    assert keeper.public() is None
    first = keeper.publish()
    assert (first.checkpoint.origin, first.checkpoint.size) == (ORIGIN, 300)
    written = kept.stat().st_mtime_ns
    assert keeper.publish().checkpoint == first.checkpoint
    assert kept.stat().st_mtime_ns == written
    log.grow(5)
    second = keeper.publish()
    assert second.checkpoint.size == 305
    assert verify(kept.read_text(), [VKEY]).checkpoint == second.checkpoint
    assert keeper.public() == second.note
    assert log.check({300: first.checkpoint.root, 305: second.checkpoint.root}).size == 305


def test_another_process_sees_what_was_published(log: Log, kept: Path) -> None:
    """Workers read the files; they never have to be told."""
    writer, reader = log.keeper(kept), log.keeper(kept)
    for size in (300, 301, 302):
        published = writer.publish()
        assert published.checkpoint.size == size
        assert reader.kept() == published
        assert reader.public() == published.note
        log.grow(1)


def test_two_keepers_of_one_file_never_go_back(log: Log, kept: Path) -> None:
    """Whoever comes late with an older view signs nothing: under the lock the file's checkpoint counts."""
    one, other = log.keeper(kept), log.keeper(kept)
    one.publish()
    log.grow(10)
    other.publish()
    assert one.publish().checkpoint.size == 310
    assert Checkpoint.parse(kept.read_text().partition("\n\n")[0] + "\n").size == 310


def test_a_restored_backup_is_refused(log: Log, kept: Path) -> None:
    """With fewer entries than the kept checkpoint counts: no new checkpoint, nothing may be appended, until it is back."""
    keeper = log.keeper(kept)
    log.database.guard(keeper.admit)
    old = head_of(log)
    log.grow(10)
    keeper.publish()
    cut(log, 300, old)
    for attempt in (keeper.examine, keeper.publish, lambda: log.grow(1)):
        with pytest.raises(LedgerForked, match=r"310|missing"):
            attempt()
    assert "declare-new-log" in keeper.refusal
    assert head_of(log) == old
    assert "310" in kept.read_text()


def test_a_backup_that_was_continued_is_refused(log: Log, kept: Path) -> None:
    """As many entries as before, or more, but others: the proof from the kept checkpoint fails."""
    keeper = log.keeper(kept)
    old = head_of(log)
    log.grow(10)
    keeper.publish()
    for more in (10, 400):
        cut(log, 300, old)
        log.grow(more)
        with pytest.raises(LedgerForked, match="does not extend"):
            keeper.publish()
    log.database.guard(keeper.admit)
    with pytest.raises(LedgerForked):
        log.grow(1)


def test_the_right_database_lifts_the_refusal(log: Log, kept: Path, tmp_path: Path) -> None:
    """Once a database extends the kept checkpoint again, it serves again."""
    keeper = log.keeper(kept)
    keeper.publish()
    with log_in(f"sqlite:///{tmp_path / 'other.db'}") as other:
        wrong = Keeper(kept, ORIGIN, signers, other.grow(400).reader)
        with pytest.raises(LedgerForked):
            wrong.publish()
    log.database.guard(keeper.admit)
    log.grow(1)
    assert keeper.publish().checkpoint.size == 301


def test_a_checkpoint_that_is_not_ours_is_refused(log: Log, kept: Path) -> None:
    """A kept file that was tampered with, of another origin, or signed by another key stops the node."""
    keeper = log.keeper(kept)
    note = keeper.publish().note
    stranger = sign(Checkpoint(ORIGIN, 1, bytes(32)), signers(ORIGIN, bytes(32)))
    for text_ in ("", "x", note.replace("\n300\n", "\n301\n"), stranger, note[:-3]):
        kept.write_text(text_)
        with pytest.raises(LedgerForked):
            log.keeper(kept).examine()
        with pytest.raises(LedgerForked):
            log.keeper(kept).admit(10**6)
    kept.write_text(note)
    assert log.keeper(kept).examine().size == 300
    with pytest.raises(LedgerForked, match=r"ledger\.origin"):
        log.keeper(kept, base="log.example/another").examine()


def test_a_kept_checkpoint_that_vanishes_is_missed(log: Log, kept: Path) -> None:
    """A process that has seen it does not go on without it; put back, all is well."""
    keeper = log.keeper(kept)
    note = keeper.publish().note
    kept.unlink()
    for attempt in (keeper.examine, keeper.publish, lambda: keeper.admit(10**6)):
        with pytest.raises(LedgerForked, match="gone"):
            attempt()
    assert not kept.exists()
    kept.write_text(note)
    assert keeper.publish().checkpoint.size == 300


def test_a_lost_tile_or_head_is_a_refusal(log: Log, kept: Path) -> None:
    """What cannot be proven is refused, whatever the reason."""
    keeper = log.keeper(kept)
    keeper.publish()
    log.grow(300)
    with log.database.engine.begin() as connection:
        rows = [tuple(row) for row in connection.execute(select(ledger_tiles))]
        connection.execute(delete(ledger_tiles))
    with pytest.raises(LedgerForked, match="tile"):
        keeper.publish()
    with log.database.engine.begin() as connection:
        connection.execute(
            ledger_tiles.insert(), [dict(zip(("level", "number", "hashes", "root"), row, strict=True)) for row in rows]
        )
    assert keeper.publish().checkpoint.size == 600
    with log.database.engine.begin() as connection:
        connection.execute(delete(ledger_head))
    with pytest.raises(LedgerForked, match="head"):
        keeper.examine()


def test_two_persons_begin_a_new_log(log: Log, kept: Path) -> None:
    """The new log's origin names the old head, its entry commits to it; the old checkpoint is set aside, and all goes on."""
    keeper = log.keeper(kept)
    old_head = head_of(log)
    log.grow(10)
    old = keeper.publish()
    cut(log, 300, old_head)
    with pytest.raises(LedgerForked):
        keeper.examine()
    last = keeper.last()
    assert last == old.checkpoint
    origin = successor(ORIGIN, last)
    declare_new_log(log.database, last, origin, PERSONS, "restored after a fire", ENTROPY)
    new = keeper.begin_anew(origin)
    assert (new.checkpoint.origin, new.checkpoint.size) == (origin, 301)
    assert kept.with_name("ledger.checkpoint.310").read_text() == old.note
    assert [key.name for key in keeper.vkeys()] == [origin]
    log.database.guard(keeper.admit)
    log.grow(1)
    assert keeper.publish().checkpoint.size == 302
    assert log.check().size == 302


def test_another_node_has_to_hear_of_it(log: Log, kept: Path, tmp_path: Path) -> None:
    """A node that still keeps the old log refuses a database in which the new one was declared, even one that it extends."""
    elsewhere = log.keeper(tmp_path / "other" / "ledger.checkpoint")
    elsewhere.publish()
    keeper = log.keeper(kept)
    head = head_of(log)
    log.grow(10)
    old = keeper.publish().checkpoint
    cut(log, 300, head)
    origin = successor(ORIGIN, old)
    declare_new_log(log.database, old, origin, PERSONS, "restored", ENTROPY)
    keeper.begin_anew(origin)
    with pytest.raises(LedgerForked, match="declared anew"):
        elsewhere.publish()
    elsewhere.begin_anew(origin)
    assert elsewhere.publish().checkpoint == keeper.publish().checkpoint


def test_a_crash_leaves_the_old_file_or_the_new_one(log: Log, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is flushed under another name and renamed: a failure at either step loses nothing and leaves nothing behind."""
    keeper = log.keeper(kept)
    note = keeper.publish().note
    log.grow(1)
    for name in ("fsync", "replace"):
        with monkeypatch.context() as broken:

            def fail(*_: object) -> None:
                raise OSError

            broken.setattr(os if name == "fsync" else Path, name, fail)
            with pytest.raises(OSError):  # noqa: PT011  whatever the disk says
                keeper.publish()
        assert kept.read_text() == note
        assert sorted(path.name for path in kept.parent.iterdir()) == [
            "ledger.checkpoint", "ledger.checkpoint.lock", "ledger.checkpoint.public",
        ]  # fmt: skip
    assert keeper.publish().checkpoint.size == 301


def test_a_copied_database_of_another_moment_is_refused(tmp_path: Path) -> None:
    """SQLite: the file of yesterday, put back in place of today's."""
    path = tmp_path / "gateway.sqlite"
    with log_in(f"sqlite:///{path}") as log:
        log.grow(20)
        with log.database.engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        shutil.copy(path, tmp_path / "backup")
        log.grow(20)
        log.keeper(tmp_path / "kept").publish()
    for rest in tmp_path.glob("gateway.sqlite*"):
        rest.unlink()
    shutil.copy(tmp_path / "backup", path)
    log = Log(f"sqlite:///{path}")
    with pytest.raises(LedgerForked, match="missing"):
        log.keeper(tmp_path / "kept").examine()
    log.database.close()


def test_an_entry_before_the_kept_checkpoint_is_not_admitted(sqlite_url: str, kept: Path) -> None:
    """Asked inside every transaction that appends, whatever was examined before: not one entry may be missing."""
    with log_in(sqlite_url) as log:
        keeper = log.grow(5).keeper(kept)
        keeper.admit(0)
        keeper.publish()
        keeper.admit(5)
        keeper.admit(6)
        for first in (0, 4):
            with pytest.raises(LedgerForked, match="entries are missing"):
                keeper.admit(first)


def test_the_lock_of_a_checkpoint_is_held_by_one(kept: Path) -> None:
    """Another process that wants it has to wait."""
    with locked(kept), (kept.parent / "ledger.checkpoint.lock").open("r+") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
