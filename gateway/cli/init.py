"""How does a gateway begin? `nik-gateway init DIR` makes all that a program can make, and says what is still missing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.cli.acting import commands_of
from gateway.cli.installation import EXAMPLE, FIRST, Installation, StillMissing, invite_first, missing
from gateway.cli.output import json_option, say


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--issuer", required=True, help="The gateway's own URL as clients will see it, https.")
@click.option("--registrar", required=True, help="Who enters agreements at the console: the first person.")
@click.option("--approver", required=True, help="Who approves them: another person.")
@click.option(
    "--database",
    default="sqlite:///gateway.sqlite",
    show_default=True,
    help="sqlite:///FILE (relative to DIR) or postgresql+psycopg://USER@HOST/NAME.",
)
@json_option
def init(directory: Path, issuer: str, registrar: str, approver: str, database: str, as_json: bool) -> None:  # noqa: FBT001, PLR0913
    """Make a production deployment in DIR from nothing: settings, keys, policies, database, the first two persons.

    Nothing that is there is made again: after a fault, or later, give the same command to see what is still missing.
    """
    if " ".join(registrar.split()).casefold() == " ".join(approver.split()).casefold():
        raise click.UsageError("--registrar and --approver must be two persons")
    settings = Installation(directory.resolve(), issuer, database).make()
    with commands_of(settings) as commands:
        invited = invite_first(commands, dict(zip(FIRST, (registrar, approver), strict=True)))
        lacks = list(missing(commands, settings))
    document = {"config": str(settings.file), "invited": invited, "missing": [asdict(lack) for lack in lacks]}
    say(as_json, document, lambda: _words(settings.file, invited, lacks))


def _words(config: Path, invited: list[dict[str, Any]], lacks: list[StillMissing]) -> str:
    lines = [f"The gateway of {config} is made. Start it with:", f"  nik-gateway serve --config {config}", ""]
    for each in invited:
        lines += [
            f"{each['person']} ({each['role']}) enrols a passkey by this link; it works once:",
            f"  {each['link']}",
        ]
    example = config.parent / EXAMPLE / "profile.toml"
    lines += ["", "Still missing:"]
    for lack in lacks:
        lines += [f"- {lack.what}", f"    {lack.remedy}"]
    return "\n".join(
        [
            *lines,
            "",
            "When it runs and the example agreement is imported, ask (the NIK comes on standard input):",
            f"  echo 7402154505909001 | nik-gateway verify --profile {example} --purpose taxpayer_registration \\",
            '    --claim name="SITI AMINAH" --claim birth_date=1990-05-05',
        ]
    )
