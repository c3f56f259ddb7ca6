"""What of the log is shown to whom? Checkpoint, tiles and keys to everybody, a receipt to the partner whose entry it is."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.errors import LedgerFault
from gateway.ledger.log.entry import Kind, Leaf
from gateway.ledger.log.tiles import Tile, parse_path, width_of
from gateway.ledger.publication.checkpoint import Checkpoint
from gateway.ledger.publication.keeper import Keeper, Log
from gateway.ledger.publication.receipt import Receipt

OWN = frozenset({Kind.ANSWER, Kind.REFUSAL, Kind.REPEAT, Kind.READ})
"""Kinds of which a partner is told the id, and so may have the receipt."""
_leaf = msgspec.json.Decoder(Leaf).decode


@dataclass(frozen=True, slots=True)
class NotYet:
    """The entry is there, but no checkpoint covers it so far."""

    size: int


class Publication:
    """What a worker publishes; every call may read the database, so call it in a thread."""

    def __init__(self, keeper: Keeper, log: Log) -> None:
        self.keeper = keeper
        self._log = log

    def checkpoint(self) -> str | None:
        """The published checkpoint; None before the first."""
        return self.keeper.public()

    def keys(self) -> str:
        """The log's verifier keys, one a line, newest first."""
        return "".join(f"{key}\n" for key in self.keeper.vkeys())

    def tile(self, path: str) -> bytes | None:
        """The bytes of a tile, as far as the published checkpoint goes; None for any other."""
        try:
            tile = parse_path(path)
        except ValueError:
            return None
        size = self._size()
        if tile.width > width_of(tile.level, tile.number, size):
            return None
        return self.read(tile)

    def read(self, tile: Tile) -> bytes | None:
        """The bytes of a tile that there is; None where the database has lost it."""
        with self._log.moment() as moment:
            try:
                return moment.tree(0).tile(tile)
            except LedgerFault:
                return None

    def receipt(self, id: str, partner: str | None = None) -> Receipt | NotYet | None:
        """The receipt of an entry; of that partner's own, when one is named. None when there is none to be seen."""
        note = self.checkpoint()
        size = self._size()
        with self._log.moment() as moment:
            found = moment.find(id)
            if found is None:
                return None
            index, leaf = found
            told = _leaf(leaf)
            if partner is not None and (told.actor.partition("/")[0] != partner or told.kind not in OWN):
                return None
            if note is None or index >= size:
                return NotYet(size)
            return Receipt(leaf, index, tuple(moment.tree(size).inclusion(index)), note)

    def _size(self) -> int:
        note = self.checkpoint()
        return Checkpoint.parse(note.partition("\n\n")[0] + "\n").size if note else 0
