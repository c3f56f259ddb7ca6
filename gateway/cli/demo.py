"""How does somebody see the whole gateway in a minute? `nik-gateway demo DIR` builds a deployment and serves it."""

from __future__ import annotations

import json
import shlex
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from gateway.app import configure_logging
from gateway.cli.demonstration import Demonstration
from gateway.cli.output import progress
from gateway.cli.serve import begin
from gateway.config import read
from nik_gateway_client import Answer, GatewayClient, NoAnswer, Profile

# As it was started: from an environment that nobody activated the bare name is not found.
_PROGRAM = shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "nik-gateway" else "nik-gateway"
PATIENCE = 60  # seconds until a server that does not answer is given up


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--residents",
    type=click.IntRange(1_000, 50_000_000),
    default=20_000,
    show_default=True,
    help="Synthetic residents.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same residents.")
@click.option("--database", help="sqlite:///FILE or postgresql+psycopg://…; an SQLite file in DIR when not given.")
@click.option("--no-serve", is_flag=True, help="Build only.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, default=8080, show_default=True, help="Port to listen on.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--tls", is_flag=True, help="TLS with an authority of its own, and partners that come with certificates.")
@click.option("--fresh", is_flag=True, help="Remove the demonstration in DIR first, with its keys, register and log.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words (with --no-serve).")
def demo(  # noqa: PLR0913, PLR0917  one argument for each option
    directory: Path,
    residents: int,
    seed: int,
    database: str | None,
    no_serve: bool,  # noqa: FBT001
    host: str,
    port: int,
    workers: int,
    tls: bool,  # noqa: FBT001
    fresh: bool,  # noqa: FBT001
    as_json: bool,  # noqa: FBT001
) -> None:
    """Build a demonstration in DIR and serve it.

    Makes keys, a synthetic register with the Ministry's real region codes, and partners with agreements. Nothing that
    is there already is made again, and settings that somebody changed are kept. No resident in it is a real person.
    """
    began = time.monotonic()
    demonstration = Demonstration(directory.resolve(), residents, seed, database, host, port, workers, tls=tls)
    if fresh and database:
        raise click.UsageError("--fresh removes files alone: empty the database yourself, and leave --fresh out")
    if fresh:
        demonstration.clear()
    if demonstration.changed:
        click.echo(f"{demonstration.settings_file} was changed and is kept as it is; --fresh makes a new one", err=True)
    with progress("residents", residents, quiet=as_json) as tell:
        demonstration.build(tell)
    if no_serve:
        click.echo(
            json.dumps({"directory": str(directory), "residents": residents})
            if as_json
            else f"built {directory} in {time.monotonic() - began:.1f} s"
        )
        return
    settings = read(demonstration.settings_file)
    configure_logging(settings.log_level)
    supervisor = begin(settings)
    if supervisor is None:
        return
    threading.Thread(target=_show, args=(directory, settings.issuer, began), daemon=True).start()
    sys.exit(supervisor.run())


def _show(directory: Path, base_url: str, began: float) -> None:
    """Ask one verification as a partner would, as soon as the gateway is ready, and tell where things are."""
    ca_file = directory / "tls" / "ca.pem"
    trusted = ssl.create_default_context(cafile=ca_file) if base_url.startswith("https:") else None
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"{base_url}/readyz", timeout=2, context=trusted):  # noqa: S310  our own address, http(s)
                break
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                click.echo("the gateway does not answer; its log above says why", err=True)
                return
            time.sleep(0.1)
    facts = json.loads((directory / "demo.json").read_text())
    resident = json.loads((directory / "magic.json").read_text())["reason"]["biometric_not_recorded"]
    partner = facts["partners"][0]
    claims = {name: resident["claims"][name] for name in ("name", "birth_date")}
    try:
        answer = _ask(directory, partner, resident["nik"], claims)
    except NoAnswer as fault:
        click.echo(f"the gateway runs at {base_url}, but the first question was not answered: {fault}", err=True)
        return
    question = {"nik": f"{resident['nik'][:6]}··········", "purpose": partner["purposes"][0], "claims": claims}
    click.echo(
        f"""
{partner["name"]} asks (POST {base_url}/v1/verifications):
{json.dumps(question, indent=1, ensure_ascii=False)}

and is answered:
{json.dumps(answer.raw, indent=1, ensure_ascii=False)}

The NIK gateway runs at {base_url} ({time.monotonic() - began:.1f} s after the command).
  the console              {facts["console"]} (each person's link to enrol: enrol_url in demo.json)
  partners, keys, limits   {directory}/demo.json
  residents to try         {directory}/residents.sample.ndjson, {directory}/magic.json
  ask yourself             {_command(resident["nik"], partner, claims, directory)}
  check the audit trail    {_PROGRAM} ledger check --config {shlex.quote(str(directory / "gateway.toml"))}
  from nothing again       {_PROGRAM} demo {shlex.quote(str(directory))} --fresh
  with make                make run FRESH=1, make run PORT=8081
  every refusal explained  {base_url}/problems
  stop                     Ctrl+C
"""
    )


def _command(nik: str, partner: Mapping[str, Any], claims: Mapping[str, str], directory: Path) -> str:
    """A line for the shell, to be copied as it stands; the NIK comes on standard input, as it does in a program."""
    profile = directory / "partners" / partner["client_id"] / "profile.toml"
    words = [_PROGRAM, "verify", "--profile", str(profile), "--purpose", partner["purposes"][0]]
    words += [word for name, value in claims.items() for word in ("--claim", f"{name}={value}")]
    return f"echo {nik} | {shlex.join(words)}"


def _ask(directory: Path, partner: Mapping[str, Any], nik: str, claims: Mapping[str, str]) -> Answer:
    """One verification through the partner's own client."""
    with GatewayClient(Profile.load(directory / "partners" / partner["client_id"] / "profile.toml")) as client:
        return client.verify(nik, partner["purposes"][0], claims)
