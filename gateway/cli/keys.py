"""How are keys made and listed? `nik-gateway keys …`; private parts are never shown."""

from __future__ import annotations

import json
from pathlib import Path

import rich_click as click

from gateway.cli.output import json_option, say, stop
from gateway.clock import SystemEntropy
from gateway.keyring import Job
from gateway.keyring import file as key_files
from gateway.keyring.example import THUMBPRINTS

_directory = click.option(
    "--keys", "directory", type=click.Path(path_type=Path, file_okay=False), default=Path("keys"), show_default=True,
    help="Directory of the private keys.",
)  # fmt: skip


@click.group()
def keys() -> None:
    """One key for every job: make, list."""


@keys.command()
@_directory
@click.option(
    "--job",
    type=click.Choice([str(job) for job in Job]),
    help="Only for this job; without, for every job that has none.",
)
@json_option
def new(directory: Path, job: str | None, as_json: bool) -> None:  # noqa: FBT001
    """Make keys; with --job a new version, which is then the one that is used."""
    held = _held(directory)
    jobs = [Job(job)] if job else [each for each in Job if not any(jwk["job"] == each for jwk in held)]
    made = []
    for each in jobs:
        version = max((int(jwk["version"]) for jwk in held if jwk["job"] == each), default=0) + 1
        made.append(str(key_files.write(directory, key_files.new(each, version, SystemEntropy()))))
    say(as_json, {"made": made}, lambda: "\n".join(made) if made else f"Every job has its key in {directory}.")


@keys.command("list")
@_directory
@json_option
def list_keys(directory: Path, as_json: bool) -> None:  # noqa: FBT001
    """Which keys there are: job, version, kid, thumbprint (RFC 7638)."""
    rows = [
        {
            "job": jwk["job"],
            "version": jwk["version"],
            "kid": jwk.get("kid", ""),
            "thumbprint": key_files.thumbprint(jwk),
            "example": key_files.thumbprint(jwk) in THUMBPRINTS,
        }
        for jwk in _held(directory)
    ]
    if not rows:
        stop(1, f"nik-gateway: no keys in {directory}. Make them with: nik-gateway keys new")
    say(
        as_json,
        {"keys": rows},
        lambda: "\n".join(
            f"{row['job']:12} {row['version']:>3}  {row['kid']:24} {row['thumbprint']}{'  EXAMPLE' if row['example'] else ''}"
            for row in rows
        ),
    )


def _held(directory: Path) -> list[dict[str, str]]:
    return [json.loads(path.read_text()) for path in sorted(directory.glob("*.jwk"))] if directory.is_dir() else []
