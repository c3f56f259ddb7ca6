"""Which commands are there? The group `nik-gateway`, and what becomes of an error: exit 2 and what to do next."""

from __future__ import annotations

import sys

import rich_click as click

from gateway.cli.agreements import agreements
from gateway.cli.audit import audit
from gateway.cli.database import db
from gateway.cli.demo import demo
from gateway.cli.demo_feeder import feeder_process
from gateway.cli.doctor import doctor
from gateway.cli.documents import documents, openapi
from gateway.cli.examples import show_in_help
from gateway.cli.feed import feed
from gateway.cli.init import init
from gateway.cli.keys import keys
from gateway.cli.ledger import ledger
from gateway.cli.output import COULD_NOT_RUN
from gateway.cli.partners import partners
from gateway.cli.payments import payments
from gateway.cli.policy import policy
from gateway.cli.receipt import receipt
from gateway.cli.register import register
from gateway.cli.serve import sealer_process, serve, worker_process
from gateway.cli.staff import staff
from gateway.cli.verify import verify
from gateway.errors import GatewayError, Misconfigured


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="nik-gateway")
def group() -> None:
    """The NIK gateway: is this NIK, with these claims, a usable identity right now?

    `nik-gateway demo DIR` builds a whole demonstration and serves it; `serve` runs a gateway from its settings.
    Exit codes: 0 done, 1 a fault was found, 2 could not run. Completion of words and options in bash (zsh, fish):
    eval "$(_NIK_GATEWAY_COMPLETE=bash_source nik-gateway)".
    """


for command in (
    init,
    demo,
    serve,
    keys,
    register,
    partners,
    agreements,
    payments,
    staff,
    policy,
    ledger,
    audit,
    receipt,
    db,
    feed,
    verify,
    doctor,
    openapi,
    documents,
    worker_process,
    sealer_process,
    feeder_process,
):
    group.add_command(command)
show_in_help(group)


def main() -> None:
    """Run the command line; a fault of ours is told in words, never as a traceback."""
    try:
        group(prog_name="nik-gateway")
    except Misconfigured as fault:
        for line in fault.faults:
            click.echo(f"nik-gateway: {line}", err=True)
        sys.exit(COULD_NOT_RUN)
    except GatewayError as fault:
        click.echo(f"nik-gateway: {fault}", err=True)
        sys.exit(COULD_NOT_RUN)
