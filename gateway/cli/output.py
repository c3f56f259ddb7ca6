"""How does the command speak? Words for people, one JSON object with --json, faults on standard error, and exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gateway.config import Settings, read

FOUND_FAULT = 1
COULD_NOT_RUN = 2

config_option = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=lambda: Path(os.environ.get("NIK_GATEWAY_CONFIG", "gateway.toml")),
    show_default="$NIK_GATEWAY_CONFIG, else ./gateway.toml",
    help="The gateway's settings.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")


def settings_of(config: Path) -> Settings:
    """The settings in a file. Raises Misconfigured, which `main` turns into exit 2."""
    return read(config)


def say(as_json: bool, document: Mapping[str, Any], words: Callable[[], str]) -> None:  # noqa: FBT001  --json itself
    """Print one result, as JSON or in words."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else words())


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> str:
    """Rows under a header, in columns as wide as they need; `empty` is told when there are none."""
    if not rows:
        return empty
    cells = [tuple(map(str, row)) for row in (header, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def give(as_json: bool, name: str, text: str, output: Path | None) -> None:  # noqa: FBT001  --json itself
    """Write a text to a file, or print it; with --json as the member `name`, or as the file that it is in."""
    if output is not None:
        output.write_text(text, "utf-8")
    if as_json:
        click.echo(json.dumps({"file": str(output)} if output is not None else {name: text}, ensure_ascii=False))
    elif output is None:
        click.echo(text, nl=False)


def stop(code: int, *lines: str) -> None:
    """Print lines on standard error and leave with `code`."""
    for line in lines:
        click.echo(line, err=True)
    sys.exit(code)


@contextmanager
def progress(what: str, total: int | None, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on standard error (lines when it is no terminal); gives a function that is told how far things are."""
    console = Console(stderr=True)
    if quiet:
        yield lambda _: None
        return
    if not console.is_terminal:
        told = 0

        def tell(done: int) -> None:
            nonlocal told
            step = max((total or 1_000_000) // 10, 100_000)
            if done // step > told:
                told = done // step
                click.echo(f"{what}: {done:,}" + (f" of {total:,}" if total else ""), err=True)

        yield tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
