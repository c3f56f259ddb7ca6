"""What can a conversation ask of whoever drives it? Three steps, without a word of sockets, threads or event loops.

A `Talk` is a generator of steps; its driver takes each one and sends back the outcome, or throws the `NoAnswer` it met.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send one HTTP request; the outcome is a `Reply`. `repr` shows neither headers nor content."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP response. `headers` is case-insensitive; a repeated header's values are joined by commas."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Alone:
    """Go through `talk` while no other conversation of this client is in such a talk; the outcome is its result."""

    talk: Talk[Any]


Step: TypeAlias = Send | Pause | Alone
Talk: TypeAlias = Generator[Step, Any, T]
