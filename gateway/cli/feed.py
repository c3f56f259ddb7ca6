"""What does a regency office run? It sends the changes that appear in a folder, tells what the centre has, makes the files."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.cli.feed_extracts import ExtractDifference, compare_extracts
from gateway.cli.feed_sender import CentreClock, Sender, persist
from gateway.cli.feed_spool import Spool
from gateway.cli.output import FOUND_FAULT, json_option, say, stop
from gateway.clock import SystemClock, jakarta_date
from gateway.errors import Misconfigured
from nik_gateway_client import GatewayClient, Profile

profile_option = click.option(
    "--profile",
    required=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The office's profile.toml.",
)
regency_option = click.option("--regency", default="", help="Code of the regency; only an office of several need tell.")
EVERY = 3600  # seconds between two empty batches while nothing happens
LOOK_EVERY = 2.0  # seconds between two looks into the folder


@click.group()
def feed() -> None:
    """A regency office's change feed: send it, see where it stands, make it from extracts."""


@feed.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@profile_option
@regency_option
@click.option("--watch", is_flag=True, help="Go on: send what appears, and every hour that nothing has happened.")
@click.option(
    "--resume", is_flag=True, help="Take the numbering from the centre: after an old backup was restored here."
)
@json_option
def send(  # noqa: PLR0913  one argument for each option
    directory: Path,
    profile: Path,
    regency: str,
    watch: bool,  # noqa: FBT001
    resume: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Send the files of changes (*.ndjson, one change a line) in DIRECTORY, in the order of their names.

    A file that is being written bears another name until it is whole. What was sent lies in DIRECTORY/.feed/done. May be
    killed, unplugged or run out of disk at any moment: the same command goes on.
    """
    read = Profile.load(profile)
    clock = CentreClock(SystemClock(), read)
    clock.set_right()
    spool = Spool(directory)

    def tell(number: int, answer: dict[str, Any]) -> None:
        refused = answer.get("refused") or []
        where = f", refused: {len(refused)} ({directory}/.feed/refused-{number:012d}.ndjson)" if refused else ""
        told = "held until an earlier one comes" if answer.get("held") else f"accepted: {answer['accepted']}{where}"
        say(as_json, {"number": number, **_short(answer)}, lambda: f"batch {number}: {told}")

    def complain(words: str) -> None:
        click.echo(words, err=True)

    with GatewayClient(read, clock=clock, timeout=60) as client:
        sender = Sender(spool, client, clock, regency or _own(client, regency)["regency"])
        refused = {"rows": 0}

        def work() -> None:
            sender.begin(resume=resume and not refused.get("resumed"))
            refused["resumed"] = 1
            sender.pack()
            sender.send(tell)

        persist(work, clock, complain) if watch else work()
        due = time.monotonic() + EVERY
        while watch:
            time.sleep(LOOK_EVERY)
            if spool.files() or spool.pending() or time.monotonic() > due:
                persist(work, clock, complain)
                due = time.monotonic() + EVERY


def _short(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in ("accepted", "refused", "next", "held", "missing") if name in answer}


def _own(client: GatewayClient, regency: str) -> Mapping[str, Any]:
    """The feed that is meant. Raises Misconfigured."""
    feeds = {each["regency"]: each for each in client.read("/feeds")["feeds"]}
    if regency:
        if regency not in feeds:
            raise Misconfigured([f"{regency} is not a regency of this office ({', '.join(feeds) or 'none is'})"])
        return dict(feeds[regency])
    if len(feeds) != 1:
        raise Misconfigured([f"say which regency with --regency: {', '.join(feeds) or 'this client has none'}"])
    return dict(next(iter(feeds.values())))


@feed.command()
@profile_option
@regency_option
@json_option
def status(profile: Path, regency: str, as_json: bool) -> None:  # noqa: FBT001
    """Tell what the centre has: next number, until when it is complete, gaps. Exit 1 when there is a gap or it is late."""
    with GatewayClient(Profile.load(profile)) as client:
        code = _own(client, regency)["regency"]
        state = client.read(f"/feeds/{code}")
    names = ("regency", "next", "complete_until", "gaps", "held", "lag_seconds", "touched", "behind")
    told = {name: state[name] for name in names}
    say(
        as_json,
        told,
        lambda: (
            f"{code}: next {told['next']}, complete until {told['complete_until']} ({told['lag_seconds']} s ago)"
            + (
                f"\n  missing: {', '.join(map(str, told['gaps']))}; {told['touched']} residents are stale"
                if told["gaps"]
                else ""
            )
            + ("\n  late: every record of the regency is stale" if told["behind"] else "")
        ),
    )
    if told["gaps"] or told["behind"]:
        stop(FOUND_FAULT)


@feed.command()
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--regency", required=True, help="Code of the regency whose extracts these are.")
@json_option
def make(before: Path, after: Path, out: Path, regency: str, as_json: bool) -> None:  # noqa: FBT001
    """Make the changes of a day from two extracts (CSV with nik and claims) into OUT (*.ndjson), whole or not at all.

    Exit 1 when somebody is in BEFORE and not in AFTER: an extract cannot tell what became of them.
    """
    made: ExtractDifference = compare_extracts(before, after, regency, jakarta_date(SystemClock().now()))
    part = out.with_name(out.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in made.changes)
    part.replace(out)
    counts = dict(sorted(made.counts.items()))
    say(
        as_json,
        {"changes": len(made.changes), "events": counts, "vanished": made.vanished},
        lambda: "\n".join([f"{len(made.changes)} changes in {out}", *(f"  {name}: {n}" for name, n in counts.items())]),
    )
    if made.vanished:
        stop(FOUND_FAULT, f"{made.vanished} residents are not in {after}: tell their death or move as events")
