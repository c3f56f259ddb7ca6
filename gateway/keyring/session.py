"""How does a process keep its way into a PKCS#11 token? A session that was lost is opened anew, and the same keys found in it.

While that fails nothing is signed or named (`KeysUnavailable`): whoever asks is told at once, a thread goes on trying.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import pkcs11
import structlog
from pkcs11 import Attribute, Mechanism, ObjectClass

from gateway.errors import KeysUnavailable, Misconfigured
from gateway.keyring.keys import Job

JOBS = frozenset(Job) - {Job.NONCE, Job.IDEMPOTENCY}
"""What a token holds. Keys that matter for minutes or a day stay in files."""

_LABEL = re.compile(r"([a-z-]+)-([1-9][0-9]{0,2})( staged)?")
AGAIN = 1.0  # seconds between two attempts to open a token that was lost
_resets: Counter[Path] = Counter()  # module → how often it was begun anew here, which ends every session of the process
_log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Slot:
    """Which token, by the vendor's module and the token's label, and the PIN that opens it."""

    module: Path
    label: str
    pin: str = field(repr=False)


class TokenSession:
    """An open token. Raises Misconfigured when it cannot be opened."""

    def __init__(self, slot: Slot, *, change: bool = False) -> None:
        try:
            token = pkcs11.lib(str(slot.module)).get_token(token_label=slot.label)
        except pkcs11.NoSuchToken as fault:
            raise Misconfigured([f"pkcs11.token: {slot.module} has no token labelled '{slot.label}'"]) from fault
        except (pkcs11.PKCS11Error, RuntimeError, OSError) as fault:
            raise Misconfigured([f"pkcs11.module: {slot.module} cannot be used ({name_of(fault)})"]) from fault
        try:
            self.session = token.open(rw=change, user_pin=slot.pin)
        except pkcs11.UserAlreadyLoggedIn:  # a process logs in once, for all of its sessions
            self.session = token.open(rw=change)
        except pkcs11.PKCS11Error as fault:
            raise Misconfigured([f"pkcs11.pin_file: token '{slot.label}' was not opened ({name_of(fault)})"]) from fault

    def close(self) -> None:
        """Log out."""
        self.session.close()

    def labelled(self) -> Iterator[tuple[Job, int, bool, Any]]:
        """(job, version, staged, object) of every key here that is one of ours: secret and private ones."""
        for kind in (ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY):
            for each in list(self.session.get_objects({Attribute.CLASS: kind})):  # one search at a time
                found = _LABEL.fullmatch(str(each[Attribute.LABEL]))
                if found and found[1] in set(JOBS):
                    yield Job(found[1]), int(found[2]), bool(found[3]), each

    def public_point(self, inside: Any) -> bytes:  # noqa: ANN401  an object of the token
        """The public key beside a private one, under the same id; empty when there is none."""
        search = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: inside.id}
        return next((bytes(each[Attribute.EC_POINT]) for each in list(self.session.get_objects(search))), b"")

    def identity(self, inside: Any) -> bytes:  # noqa: ANN401
        """What tells a key from another under the same label: its public key, or what it makes of nothing."""
        if inside.object_class is ObjectClass.PRIVATE_KEY:
            return self.public_point(inside)
        return sha256(bytes(inside.sign(b"", mechanism=Mechanism.SHA256_HMAC))).digest()


class Held:
    """A token that a process works with. One session serves all threads, one after the other: sessions are not shared."""

    def __init__(self, slot: Slot) -> None:
        """Raises Misconfigured."""
        self._slot = slot
        self._lock = Lock()
        self._closed = Event()
        self._lost = ""
        self._identities: dict[tuple[Job, int], bytes] = {}
        self.opened = TokenSession(slot)
        self._begun = _resets[slot.module]
        self._objects = {(job, version): inside for job, version, _, inside in self.opened.labelled()}

    def close(self) -> None:
        """Log out."""
        self._closed.set()
        with suppress(pkcs11.PKCS11Error):  # lost, perhaps
            self.opened.close()

    def inside(self, job: Job, version: int, make: Callable[[Any, bytes], bytes]) -> Callable[[bytes], bytes]:
        """`make` with this key and the data given, by one thread at a time.

        Whatever the token fails with, its session is opened anew and `make` tried once more; the function raises
        KeysUnavailable when that helps nothing, and from then on until the token is there again.
        """
        which = job, version
        self._identities[which] = self.opened.identity(self._objects[which])

        def inside(data: bytes) -> bytes:
            with self._lock:
                if self._lost:
                    raise KeysUnavailable(self._lost)
                try:
                    if self._begun != _resets[self._slot.module]:  # its handles may be those of other keys by now
                        self._open()
                    return make(self._objects[which], data)
                except (pkcs11.PKCS11Error, Misconfigured, KeysUnavailable) as fault:
                    told = name_of(fault)
                try:
                    self._open()
                    made = make(self._objects[which], data)
                except (pkcs11.PKCS11Error, Misconfigured, KeysUnavailable):
                    self._lose(told)
                    raise KeysUnavailable(self._lost) from None
                _log.warning("the HSM's session was lost and opened anew", token=self._slot.label, reason=told)
                return made

        return inside

    def _open(self) -> None:
        """A new session, at need in a module that is begun anew. Raises Misconfigured, KeysUnavailable, PKCS#11's faults."""
        with suppress(pkcs11.PKCS11Error):  # it is what was lost
            self.opened.close()
        try:
            self._find()
        except (pkcs11.PKCS11Error, Misconfigured, KeysUnavailable):
            pkcs11.lib(str(self._slot.module)).reinitialize()
            _resets[self._slot.module] += 1
            self._find()

    def _find(self) -> None:
        opened = TokenSession(self._slot)
        objects = {(job, version): inside for job, version, _, inside in opened.labelled()}
        for which, identity in self._identities.items():
            if which not in objects or opened.identity(objects[which]) != identity:
                job, version = which
                what = "another key" if which in objects else "no key"
                raise KeysUnavailable(f"token '{self._slot.label}' holds {what} for '{job}' version {version}")
        self.opened, self._objects, self._begun = opened, objects, _resets[self._slot.module]

    def _lose(self, told: str) -> None:
        self._lost = f"token '{self._slot.label}' cannot be used ({told})"
        _log.error("the HSM is lost: nothing is answered", token=self._slot.label, reason=told)
        Thread(target=self._mend, name="hsm", daemon=True).start()

    def _mend(self) -> None:
        while not self._closed.wait(AGAIN):
            try:
                # Nobody else works with the token meanwhile: whoever asks is refused before.
                self._open()
            except (pkcs11.PKCS11Error, Misconfigured, KeysUnavailable) as fault:
                self._lost = f"token '{self._slot.label}' cannot be used ({name_of(fault)})"
            else:
                self._lost = ""
                _log.info("the HSM is there again", token=self._slot.label)
                return


def name_of(fault: BaseException) -> str:
    """What a fault says, or at least what it is."""
    return str(fault) or type(fault).__name__
