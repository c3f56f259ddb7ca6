"""Who else has seen this checkpoint? Asks the configured witnesses for cosignatures (C2SP tlog-witness, add-checkpoint)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from gateway.errors import GatewayError
from gateway.ledger.log.note import Note, NoteFault, VerifierKey, b64
from gateway.ledger.publication.checkpoint import SignedCheckpoint

PATIENCE = 2.0  # seconds that one witness has; the checkpoint is published with whatever came
SIZE = "text/x.tlog.size"
Prove = Callable[[int], list[bytes]]


class Cosigners:
    """The witnesses of one log. `tell` hears of each how it went: `cosigned`, or what was wrong."""

    def __init__(self, witnesses: Sequence[tuple[VerifierKey, str]], tell: Callable[[str, str], None]) -> None:
        self._witnesses = witnesses
        self._tell = tell
        self._sizes: dict[VerifierKey, int] = {}
        self._http = httpx.Client(timeout=PATIENCE, follow_redirects=False) if witnesses else None

    @property
    def keys(self) -> Sequence[VerifierKey]:
        """See `keeper.Cosign.keys`."""
        return [key for key, _ in self._witnesses]

    def __call__(self, signed: SignedCheckpoint, prove: Prove) -> str:
        """The signature lines of those that have cosigned; all are asked at once."""
        if not self._witnesses:
            return ""
        with ThreadPoolExecutor(len(self._witnesses), thread_name_prefix="witness") as threads:
            return "".join(threads.map(lambda each: self._asked(each[0], each[1], signed, prove), self._witnesses))

    def close(self) -> None:
        """See `keeper.Cosign.close`."""
        if self._http is not None:
            self._http.close()

    def _asked(self, key: VerifierKey, url: str, signed: SignedCheckpoint, prove: Prove) -> str:
        try:
            line = self._line(key, url, signed, prove)
        except httpx.HTTPError as fault:
            self._tell(key.name, f"unreachable: {type(fault).__name__}")
        except GatewayError as fault:
            self._tell(key.name, f"refused: {fault}")
        else:
            self._tell(key.name, "cosigned")
            return line
        return ""

    def _line(self, key: VerifierKey, url: str, signed: SignedCheckpoint, prove: Prove) -> str:
        size = signed.checkpoint.size
        for _ in range(2):  # once more when the witness knows another size than we thought
            old = self._sizes.get(key, 0)
            body = f"old {old}\n" + "".join(f"{b64(each)}\n" for each in prove(old)) + f"\n{signed.note}"
            assert self._http is not None  # noqa: S101  for the type checker: there are witnesses
            reply = self._http.post(f"{url.rstrip('/')}/add-checkpoint", content=body.encode())
            if reply.status_code == 200:  # noqa: PLR2004
                note = Note.parse(f"{signed.checkpoint.text}\n{reply.text}")
                if key not in note.signed_by([key]):
                    raise NoteFault("its reply is not signed with its key")
                self._sizes[key] = size
                return note.line_of(key)
            known = reply.text.strip()
            if reply.status_code != 409 or reply.headers.get("content-type") != SIZE or not known.isdecimal():  # noqa: PLR2004
                raise NoteFault(f"HTTP {reply.status_code}")
            if int(known) > size or int(known) == old:
                raise NoteFault(
                    f"it knows a log of {known} entries, this one has {size}: look whether the log was forked"
                )
            self._sizes[key] = int(known)
        raise NoteFault("it changes its mind about the size that it knows")
