"""Does an auditor see which witness has cosigned the published checkpoint, when, and what the node keeps? On both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from logs import CLOCK, HOUSE, VKEY, Log, log_in

from gateway.administration.commands import View
from gateway.clock import SECOND, SystemEntropy, parse_rfc3339
from gateway.errors import Refused
from gateway.keyring import Job, Keyring
from gateway.keyring import file as key_files
from gateway.keyring.keys import b64u
from gateway.ledger.log.note import COSIGNATURE, VerifierKey, b64, new_signer_text, parse_signer
from gateway.ledger.publication.checkpoint import SignedCheckpoint
from gateway.ledger.publication.rhythm import Publication
from gateway.ledger.publication.witness import Witness
from gateway.policy.decide import Decider
from gateway.policy.policies import load
from gateway.store.audit.published_log import checkpoint
from gateway.store.commands.query import ReadContext
from gateway.store.search.copy import AuditTools, Follower

DECIDER = Decider(load(HOUSE / "policies"))


class Beside:
    """Witnesses in this process; one that is away is asked in vain."""

    def __init__(self, log: Log, directory: Path, names: Sequence[str]) -> None:
        made = [new_signer_text(name, COSIGNATURE, bytes([at + 1]) * 32) for at, name in enumerate(names)]
        self.keys: Sequence[VerifierKey] = [key for _, key in made]
        self.away: set[str] = set()
        self._log = log
        self._witnesses = {
            key: Witness(parse_signer(secret), [VKEY], directory / key.name / "state.json", CLOCK)
            for secret, key in made
        }
        self._sizes = dict.fromkeys(self.keys, 0)

    def __call__(self, signed: SignedCheckpoint, prove: Callable[[int], list[bytes]]) -> str:
        lines = ""
        for key, witness in self._witnesses.items():
            if key.name not in self.away:
                path = "".join(b64(each) + "\n" for each in prove(self._sizes[key]))
                reply = witness.add_checkpoint(f"old {self._sizes[key]}\n{path}\n{signed.note}".encode())
                assert reply.status == 200, reply
                self._sizes[key] = signed.checkpoint.size
                lines += reply.body
        return lines

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def log(database_url: str) -> Iterator[Log]:
    """A log of 30 entries."""
    with log_in(database_url) as log:
        yield log.grow(30)


def test_each_configured_witness_is_told_with_its_time(log: Log, tmp_path: Path) -> None:
    """Null for the one that was away; size and root are those of the note; before the first checkpoint there is none."""
    witnesses = Beside(log, tmp_path, ("auditor.example/w1", "press.example/w2"))
    keeper = log.keeper(tmp_path / "kept", witnesses)
    keys = Keyring([key_files.parse(key_files.new(job, 1, SystemEntropy())) for job in Job])
    tools = AuditTools(keys, Publication(keeper, log.reader), log.reader, Follower(log.database))

    def shown() -> dict[str, Any]:
        with log.database.reading() as connection:
            context = ReadContext(connection, CLOCK.now(), DECIDER.policies.purposes, DECIDER, tools)
            return dict(checkpoint(context, View("checkpoint")).document)

    with pytest.raises(Refused, match="not-found"):
        shown()
    begun = CLOCK.now() // SECOND * SECOND
    first = keeper.publish()
    told = shown()
    assert (told["size"], told["root"]) == (30, b64u(first.checkpoint.root))
    assert told["kept"] == {name: told[name] for name in ("origin", "size", "root")}
    assert told["entries"] == 30
    assert begun <= parse_rfc3339(told["published_at"]) <= CLOCK.now()
    assert [each["name"] for each in told["witnesses"]] == ["auditor.example/w1", "press.example/w2"]
    assert all(begun <= parse_rfc3339(each["cosigned_at"]) <= CLOCK.now() for each in told["witnesses"])
    assert [each["key"] for each in told["witnesses"]] == [str(key) for key in witnesses.keys]
    witnesses.away.add("press.example/w2")
    log.grow(5)
    keeper.publish()
    told = shown()
    assert told["size"] == 35
    assert [each["cosigned_at"] is None for each in told["witnesses"]] == [False, True]
