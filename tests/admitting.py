"""Which log may a test append to? Any: no keeper of a node watches over it."""

from __future__ import annotations


def any_log(_: int) -> None:
    """As `Keeper.admit`, of a log that nobody keeps."""
