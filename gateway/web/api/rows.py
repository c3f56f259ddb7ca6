"""What is said of a call that a table lists? Its method, path and scope, and the act or view that it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CREATED, ACCEPTED = 201, 202
PAGED = ("cursor", "limit")


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call. `does` names an act, or with GET a view; `body` is what is sent; `status` what a success answers.

    `posted`: a POST that names a view, since what is looked for may stand in no URL. `also`: another scope that will do.
    `location`: where what was made is found, filled from the answer. `watches`: the view whose state `If-Match` names.
    `answers`: the schema of the answer where it has one of its own. `media`: what an answer is when it is no JSON document.
    `tag`: its chapter of the OpenAPI document.
    `large`: the body may have 16 MiB, and come packed (gzip). Without `scope` any token will do. `otherwise`: a member of the
    answer that tells of another success, and the status of that.
    """

    method: str
    path: str
    scope: str
    does: str
    summary: str
    body: Any = None
    status: int = 200
    query: tuple[str, ...] = field(default=())
    also: str = ""
    location: str = ""
    watches: str = ""
    answers: str = ""
    media: bytes = b"application/json"
    tag: str = "administration"
    posted: bool = False
    large: bool = False
    otherwise: tuple[str, int] | None = None

    @property
    def proposes(self) -> bool:
        """Whether it makes a proposal, which waits for a second person."""
        return self.status == ACCEPTED

    @property
    def reads(self) -> bool:
        """Whether it stands for a view."""
        return self.method == "GET" or self.posted

    @property
    def creates(self) -> bool:
        """Whether it makes something, so that a repetition must not make it twice (`Idempotency-Key`)."""
        return self.status in {CREATED, ACCEPTED}
