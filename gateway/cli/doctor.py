"""Why does my call fail? `nik-gateway doctor` looks at every cause in the order in which a call meets it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import rich_click as click

from nik_gateway_client.clock import LocalClock
from nik_gateway_client.examination import CHECKS, Examination, Finding

FAULT = 1
NOT_RUN = 2
_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red"), "skipped": ("·", "bright_black")}


@click.command(epilog="Exit code: 0 all good (warnings too); 1 a fault was found; 2 could not run.")
@click.option("--profile", required=True, type=click.Path(path_type=Path), help="profile.toml of the partner.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
@click.pass_context
def doctor(ctx: click.Context, /, *, profile: Path, as_json: bool) -> None:
    """Look for what keeps this profile's calls from being answered, and say what to do about it.

    No resident is asked about: nothing of this counts against an allowance.
    """
    if not profile.is_file():
        click.secho(f"{profile}: no such file", err=True, fg="red")
        ctx.exit(NOT_RUN)
    examination = Examination(profile, LocalClock())
    for finding in examination.run():
        if not as_json:
            _say(finding)
    findings = list(examination.findings.values())
    faults = [finding.check for finding in findings if finding.state == "fail"]
    if as_json:
        click.echo(
            json.dumps({"ok": not faults, "findings": [asdict(finding) for finding in findings]}, ensure_ascii=False)
        )
    ctx.exit(FAULT if faults else 0)


def _say(finding: Finding) -> None:
    mark, colour = _MARKS[finding.state]
    click.secho(f"{mark} {CHECKS[finding.check]}: ", fg=colour, nl=False)
    click.echo(finding.found)
    if finding.advice:
        click.echo(f"  → {finding.advice}")
