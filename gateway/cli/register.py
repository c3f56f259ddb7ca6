"""How does the register fill, and what is in it? `nik-gateway register …`."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from threading import Event
from typing import Any

import rich_click as click

from gateway.app import open_deployment, open_to_append
from gateway.cli.output import FOUND_FAULT, config_option, json_option, progress, say, settings_of
from gateway.clock import HOUR, SystemClock, SystemEntropy, jakarta_date, parse_rfc3339
from gateway.register import regions
from gateway.register.reasons import Status
from gateway.register.status import judge
from gateway.sealing.standing import Watermark
from gateway.store.administration.rekeying import rekey
from gateway.store.register.intake import open_lines, take_in
from gateway.store.register.residents import RegisterOf

PAUSE = 0.01  # seconds between two pages of `rekey`, in which the gateway seals


@click.group()
def register() -> None:
    """The register of residents: import, rekey, status."""


@register.command("import")
@config_option
@click.argument("file")
@click.option("--format", "kind", type=click.Choice(["ndjson", "csv"]), help="Told by the first line when not given.")
@click.option("--complete-until", help="Until when the file is complete (RFC 3339); now when not given.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where refused lines are listed [FILE.rejects.ndjson].",
)
@click.option("--anew", is_flag=True, help="Begin at the first line, although an import of this name was interrupted.")
@click.option("--by", "actor", default="operator", show_default=True, help="Who does it; stands in the ledger.")
@json_option
def import_residents(  # noqa: PLR0913, PLR0917  one argument for each option
    config: Path,
    file: str,
    kind: str | None,
    complete_until: str | None,
    rejects: Path | None,
    anew: bool,  # noqa: FBT001
    actor: str,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Import residents from FILE (NDJSON or CSV, gzip too; - for standard input); docs/operate.md has the format.

    A bad line is refused with its number and reason (exit 1), the rest goes in. After an interruption the same command
    goes on where the last batch ended.
    """
    source = None if file == "-" else Path(file)
    if source is not None and not source.is_file():
        raise click.BadParameter(f"{file}: there is no such file", param_hint="FILE")
    clock, entropy = SystemClock(), SystemEntropy()
    until = parse_rfc3339(complete_until) if complete_until else clock.now()
    deployment = open_to_append(settings_of(config), clock, entropy, at_once=True)
    listed = rejects or Path("stdin.rejects.ndjson" if source is None else f"{source}.rejects.ndjson")
    with open_lines(source, sys.stdin.buffer) as lines, progress("lines", None, quiet=as_json) as tell:
        done = take_in(
            lines,
            RegisterOf(deployment.database, deployment.keyring, entropy),
            deployment.database,
            entropy,
            name=source.name if source else "-",
            kind=kind or "",
            today=jakarta_date(clock.now()),
            complete_until=until,
            rejects=listed,
            tell=tell,
            actor=actor,
            anew=anew,
        )
    deployment.database.close()
    say(
        as_json,
        {
            "lines": done.lines,
            "taken": done.taken,
            "refused": done.refused,
            "rejects": str(listed) if done.refused else None,
        },
        lambda: (
            f"{done.taken:,} residents taken"
            + (f", {done.refused:,} lines refused: see {listed}" if done.refused else "")
        ),
    )
    if done.refused:
        raise SystemExit(FOUND_FAULT)


@register.command("rekey")
@config_option
@click.option("--by", "actor", default="operator", show_default=True, help="Who does it; stands in the ledger.")
@json_option
def rekey_residents(config: Path, actor: str, as_json: bool) -> None:  # noqa: FBT001
    """Rewrite records and index under the newest `index` and `claims` keys, while the gateway serves.

    First let every node use the new keys. After an interruption the same command goes on. Exit 1 when rows are left that
    need an older key: somebody still writes with it. `keys list --config` tells which versions are needed.
    """
    deployment = open_to_append(settings_of(config), SystemClock(), SystemEntropy(), at_once=True)
    total = RegisterOf(deployment.database, deployment.keyring, deployment.entropy).count()
    pause = Event()
    with progress("residents", total, quiet=as_json) as tell:
        done = rekey(
            deployment.database,
            deployment.keyring,
            deployment.entropy,
            actor=actor,
            tell=tell,
            rest=lambda: pause.wait(PAUSE),
        )
    deployment.database.close()
    say(
        as_json,
        {"index": done.index, "claims": done.claims, "rewritten": done.rewritten, "left": done.left},
        lambda: (
            f"{done.rewritten:,} residents under index-{done.index} and claims-{done.claims}"
            + (f"; {done.left:,} rows need an older key: somebody writes with it. Again, later" if done.left else "")
        ),
    )
    if done.left:
        raise SystemExit(FOUND_FAULT)


@register.command()
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:  # noqa: FBT001
    """Count residents by status and region: opens every record, so it takes a while on a large register."""
    settings = settings_of(config)
    deployment = open_deployment(settings, SystemClock(), SystemEntropy())
    held = RegisterOf(deployment.database, deployment.keyring, deployment.entropy)
    with deployment.database.reading() as connection:
        marks = held.watermarks(connection)
    now = deployment.clock.now()
    today, limit = jakarta_date(now), settings.register_behind_after_hours * HOUR
    by_status: Counter[str] = Counter()
    by_reason: Counter[str] = Counter()
    by_region: dict[str, Counter[str]] = {}
    with progress("residents", held.count(), quiet=as_json) as tell:
        for record in held.residents(tell):
            mark = marks.get(record.regency, Watermark(0, gap=False))
            found, reason, _ = judge(
                record,
                today,
                source_behind=now - mark.complete_until > limit,
                gap="",
            )
            by_status[str(found)] += 1
            if reason:
                by_reason[reason] += 1
            by_region.setdefault(record.regency, Counter())[str(found)] += 1
    deployment.database.close()
    names = regions.load().regencies
    rows: list[dict[str, Any]] = [
        {"regency": code, "name": names[code].name if code in names else "", **counts}
        for code, counts in sorted(by_region.items())
    ]
    say(
        as_json,
        {"residents": by_status.total(), "by_status": by_status, "by_reason": by_reason, "by_regency": rows},
        lambda: "\n".join(
            [
                f"residents {by_status.total():>14,}",
                *(f"{name:9} {count:>14,}" for name, count in sorted(by_status.items())),
                "",
                *(f"{name:24} {count:>10,}" for name, count in by_reason.most_common()),
                "",
                f"{'regency':38} {'active':>10} {'blocked':>10} {'stale':>10}",
                *(
                    " ".join(
                        [row["regency"], f"{row['name'][:32]:33}", *(f"{row.get(each, 0):>10,}" for each in Status)]
                    )
                    for row in rows
                ),
            ]
        ),
    )
