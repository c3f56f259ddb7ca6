"""How do keys come into a PKCS#11 token, and how is a new version put to use? Every secret is made inside and stays there.

The one exception is the data key of `claims`, which is wrapped by a key inside (see `pkcs11.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pkcs11
from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag
from pkcs11.util.ec import encode_named_curve_parameters

from gateway.clock import Entropy
from gateway.errors import Misconfigured
from gateway.keyring.keys import MAC_JOBS, SIGN_JOBS, Job, b64u
from gateway.keyring.pkcs11 import SIZE, TAG
from gateway.keyring.session import JOBS, Slot, TokenSession, name_of

_ED25519 = "1.3.101.112"
_KEPT_INSIDE = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}


def provision(slot: Slot, directory: Path, jobs: list[Job], entropy: Entropy, *, staged: bool = False) -> list[str]:
    """Make a new version of each job's key in the token; the labels. Raises Misconfigured."""
    with _changing(slot) as opened:
        made = []
        for job in jobs:
            version = max((held for other, held, _, _ in opened.labelled() if other is job), default=0) + 1
            label = f"{job}-{version}{' staged' if staged else ''}"
            _make(opened.session, job, version, label, directory, entropy)
            made.append(label)
    return made


def missing(slot: Slot) -> list[Job]:
    """The jobs for which a token holds no key. Raises Misconfigured."""
    with _changing(slot) as opened:
        held = {job for job, _, _, _ in opened.labelled()}
    return sorted(JOBS - held)


def activate(slot: Slot, job: Job) -> list[str]:
    """Use the staged versions of a job's key from the next start on; their labels. Raises Misconfigured."""
    with _changing(slot) as opened:
        labels = []
        for other, version, staged, inside in list(opened.labelled()):
            if other is job and staged:
                inside[Attribute.LABEL] = f"{job}-{version}"
                labels.append(f"{job}-{version}")
    return labels


@contextmanager
def _changing(slot: Slot) -> Iterator[TokenSession]:
    opened = TokenSession(slot, change=True)
    try:
        yield opened
    except pkcs11.PKCS11Error as fault:
        raise Misconfigured([f"keys: token '{slot.label}': {name_of(fault)}"]) from fault
    finally:
        opened.close()


def _make(session: Any, job: Job, version: int, label: str, directory: Path, entropy: Entropy) -> None:  # noqa: ANN401, PLR0913
    id = f"{job}-{version}".encode()
    if job in MAC_JOBS:
        session.generate_key(
            KeyType.GENERIC_SECRET, SIZE * 8, id=id, label=label, store=True,
            mechanism=Mechanism.GENERIC_SECRET_KEY_GEN, capabilities=MechanismFlag.SIGN, template=_KEPT_INSIDE,
        )  # fmt: skip
    elif job in SIGN_JOBS:
        kind, curve = (KeyType.EC, "secp256r1") if job is Job.TOKEN else (KeyType.EC_EDWARDS, _ED25519)
        how = Mechanism.EC_KEY_PAIR_GEN if job is Job.TOKEN else Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        curve_parameters = {Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
        parameters = session.create_domain_parameters(kind, curve_parameters, local=True)
        parameters.generate_keypair(mechanism=how, id=id, label=label, store=True, private_template=_KEPT_INSIDE)
    else:
        both = MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT
        inside = session.generate_key(
            KeyType.AES, SIZE * 8, id=id, label=label, store=True, capabilities=both, template=_KEPT_INSIDE
        )
        _wrap(directory / f"{job}-{version}.wrapped", inside, job, version, entropy)


def _wrap(path: Path, inside: Any, job: Job, version: int, entropy: Entropy) -> None:  # noqa: ANN401
    iv = entropy.bytes(12)
    parameters = GCMParams(iv, f"{job}-{version}".encode(), TAG)
    sealed = inside.encrypt(entropy.bytes(SIZE), mechanism=Mechanism.AES_GCM, mechanism_param=parameters)
    directory = path.parent
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"job": str(job), "version": version, "iv": b64u(iv), "sealed": b64u(bytes(sealed))}, file)
