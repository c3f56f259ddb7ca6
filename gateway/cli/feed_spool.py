"""What has an office packed, and what of it does the centre have? A folder in which every step is one rename.

Whatever is killed at any byte is begun again or is done: bodies are whole before `state.json` counts them, and a file of
changes leaves the folder after it was counted. Numbers in it are the office's own; `offset` makes them the centre's.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.errors import Misconfigured
from gateway.feeds.batch import MOST_CHANGES, REMEMBERED, digest_of

FOLDER = ".feed"
KEPT = 200
"""So many batches are kept after they were taken: the centre may ask for them again."""


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How far the office has come. `packed` names files that are in, `cut` the number before which `offset` was another."""

    last: int = 0
    offset: int | None = None
    cut: int = 1
    packed: list[str] = field(default_factory=list)
    touched: list[tuple[int, list[str]]] = field(default_factory=list)


class Spool:
    """The folder of one office."""

    def __init__(self, source: Path) -> None:
        """Opens the folder, and drops what was not finished in it. Raises Misconfigured, OSError."""
        self._source = source
        if not source.is_dir():
            raise Misconfigured([f"{source}: no such folder"])
        self._root = source / FOLDER
        self._outbox, self._sent, self._done = (self._root / name for name in ("outbox", "sent", "done"))
        for folder in (self._outbox, self._sent, self._done):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.state = self._read()
        for stale in [*self._root.glob("*.part"), *self._outbox.glob("*.part"), *self._beyond()]:
            stale.unlink()

    def _read(self) -> SpoolState:
        path = self._root / "state.json"
        if not path.exists():
            return SpoolState()
        held = json.loads(path.read_text("utf-8"))
        touched = [(number, niks) for number, niks in held.pop("touched")]
        return SpoolState(**held, touched=touched)

    def _beyond(self) -> list[Path]:
        """Bodies that were written but never counted."""
        return [path for path in self._outbox.glob("*.json") if int(path.stem) > self.state.last]

    def number_from(self, following: int) -> None:
        """Go on with `following` as the centre's next sequence."""
        first = next(iter(self.pending()), self.state.last + 1)
        self._keep(replace(self.state, offset=following - first, cut=first))

    def files(self) -> list[Path]:
        """Files of changes that wait in the folder; one that is being written bears another name until it is whole."""
        return sorted(self._source.glob("*.ndjson"))

    def pack(self, path: Path, until: str) -> int:
        """Make batches of a file; how many. Raises Misconfigured naming the first line that is no JSON object."""
        content = path.read_bytes()
        name = f"{path.name} {sha256(content).hexdigest()}"
        if name in self.state.packed:  # it was counted, and then the machine went away
            self._put_away(path)
            return 0
        rows = _rows(path.name, content)
        made = [rows[at : at + MOST_CHANGES] for at in range(0, len(rows), MOST_CHANGES)]
        self._count(made, until, [name])
        self._put_away(path)
        return len(made)

    def beat(self, until: str) -> None:
        """An empty batch, which tells that nothing is missing until now."""
        self._count([[]], until, [])

    def _count(self, batches: Sequence[list[Any]], until: str, names: list[str]) -> None:
        """Write the bodies, then count them all at once."""
        last, touched = self.state.last, list(self.state.touched)
        before = self._before()
        for at, rows in enumerate(batches, 1):
            last += 1
            body = {
                # Only with the last of a file is everything in that was known when it was made.
                "complete_until": until if at == len(batches) else before,
                "digest": urlsafe_b64encode(digest_of(rows)).rstrip(b"=").decode(),
                "changes": rows,
                "touched": touched[-REMEMBERED:],
            }
            _write(self._outbox / f"{last:012d}.json", json.dumps(body, ensure_ascii=False).encode())
            touched = [*touched, (last, sorted({str(row.get("nik", "")) for row in rows}))][-REMEMBERED:]
        self._keep(replace(self.state, last=last, touched=touched, packed=[*self.state.packed, *names][-1000:]))

    def _before(self) -> str:
        """Until when the batch before is complete; long ago when there is none."""
        paths = sorted([*self._outbox.glob("*.json"), *self._sent.glob("*.json")], key=lambda path: path.stem)
        return str(json.loads(paths[-1].read_bytes())["complete_until"]) if paths else "2000-01-01T00:00:00Z"

    def _put_away(self, path: Path) -> None:
        path.replace(self._done / path.name)
        _sync(self._done)
        _sync(self._source)

    def _keep(self, state: SpoolState) -> None:
        _write(self._root / "state.json", json.dumps(asdict(state)).encode())
        self.state = state

    def pending(self) -> list[int]:
        """Own numbers of what the centre does not have yet, in order."""
        return sorted(int(path.stem) for path in self._outbox.glob("*.json"))

    def body(self, number: int) -> bytes | None:
        """The body of a batch under the centre's numbers; None when it is not kept any more."""
        held = next((path for path in (self._outbox, self._sent) if (path / f"{number:012d}.json").exists()), None)
        if held is None or self.state.offset is None:
            return None
        document = json.loads((held / f"{number:012d}.json").read_bytes())
        document["sequence"] = number + self.state.offset
        document["touched"] = [
            {"sequence": at + self.state.offset, "niks": [nik for nik in niks if nik]}
            for at, niks in document["touched"]
            if at >= self.state.cut
        ]
        return json.dumps(document, ensure_ascii=False).encode()

    def taken(self, number: int, answer: dict[str, Any]) -> None:
        """The centre has it: keep what it refused, and the body for a while."""
        refused = answer.get("refused") or []
        if refused:
            lines = "".join(json.dumps(row) + "\n" for row in refused)
            _write(self._root / f"refused-{number:012d}.ndjson", lines.encode())
        path = self._outbox / f"{number:012d}.json"
        if path.exists():
            path.replace(self._sent / path.name)
            _sync(self._sent)
            _sync(self._outbox)
        for old in sorted(self._sent.glob("*.json"))[:-KEPT]:
            old.unlink()


def _rows(name: str, content: bytes) -> list[Any]:
    rows = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise Misconfigured([f"{name}, line {number}: not a JSON object"])
        rows.append(row)
    return rows


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing, durable."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)  # a full disk: nothing has happened
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Make renames in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
