"""What may an administrator do, and in which words? One act is a name, what its path names, a body, and the person who acts.

Bodies are those of docs/administration.md; free texts are short, in one line, and never hold a run of 16 digits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.sealing.submission import Outcome, Submission


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a person does.

    `expected` are the revisions (`Shown.revision`) of the view `watched` that it may be done to; empty: whichever stands.
    """

    name: str
    path: Mapping[str, str]
    body: Any
    person: str
    watched: str = ""
    expected: tuple[str, ...] = ()
    client_id: str = ""
    prepared: Any = None  # what was looked up for it before the sealing lock was taken


@dataclass(frozen=True, slots=True)
class View:
    """Something that a person reads: a name, what its path, query and (for a search) body name.

    Who reads is set by `Administration.read`: the person, the client, the token (or session) of the call, and its scope.
    `watched`: for how many seconds the same may be looked at again under the entry of this reading (`watching`).
    """

    name: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    person: str = ""
    client_id: str = ""
    token_id: str = ""
    scope: str = ""
    watched: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """What a view shows, and the agreement that it speaks of.

    `private` is what the entry of the reading keeps beside its name; `raw` is sent in the document's place, which the
    entry then commits to.
    """

    document: Mapping[str, Any]
    revision: str = ""
    agreement: str = ""
    private: Mapping[str, Any] = field(default_factory=dict)
    raw: bytes = b""


class AdministrationPort(Protocol):
    """The port through which administration reaches the store."""

    def perform(self, act: Act, submission: Submission) -> Awaitable[Outcome]:
        """Do it and seal it, in one transaction; the submission's draft becomes its entry. A refusal is sealed as well."""

    def show(self, view: View) -> Awaitable[Shown]:
        """Read. Raises Refused(NOT_FOUND)."""
