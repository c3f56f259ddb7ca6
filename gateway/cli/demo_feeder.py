"""Who keeps the feeds of a demonstration current? A process that sends as an office does, through the same door."""

from __future__ import annotations

import json
import time
from pathlib import Path

import rich_click as click
import structlog

from gateway.app import configure_logging
from gateway.cli.output import config_option, settings_of
from gateway.cli.processes import bind_to_parent
from gateway.clock import SystemClock, rfc3339_seconds
from gateway.feeds.batch import digest_of
from gateway.keyring.keys import b64u
from gateway.synthetic.population import BEHIND_REGENCY
from nik_gateway_client import GatewayClient, NoAnswer, Profile

FEEDER = "feeder"
EVERY = 900.0  # seconds between two rounds
AGAIN = 10.0  # seconds until it is tried again
PAUSE = 0.05  # seconds between two batches: nobody is to notice
_log = structlog.get_logger("gateway.feeder")


def feeder_profile(settings_file: Path) -> Path:
    """The profile of the process, beside the settings of a demonstration."""
    return settings_file.parent / "partners" / FEEDER / "profile.toml"


def refresh(client: GatewayClient, older_than: float, most: int = 1_000) -> int:
    """Send an empty batch for every own regency that lags for so many seconds; how many. Raises NoAnswer.

    The one that is late stays late, and a gap stays open: a demonstration shows both.
    """
    sent = 0
    for feed in client.read("/feeds")["feeds"]:
        if sent == most or feed["regency"] == BEHIND_REGENCY or feed["gaps"] or feed["lag_seconds"] < older_than:
            continue
        body = {
            "sequence": feed["next"], "complete_until": rfc3339_seconds(SystemClock().now()), "changes": [],
            "digest": b64u(digest_of([])),
        }  # fmt: skip
        client.post(f"/feeds/{feed['regency']}/batches", json.dumps(body).encode())
        sent += 1
        time.sleep(PAUSE)
    return sent


@click.command(hidden=True)
@config_option
@click.option("--parent", type=int, required=True)
def feeder_process(config: Path, parent: int) -> None:
    """Keep the feeds of a demonstration current."""
    bind_to_parent(parent)
    settings = settings_of(config)
    configure_logging(settings.log_level)
    profile = Profile.load(feeder_profile(settings.file))
    while True:
        try:
            with GatewayClient(profile) as client:
                refresh(client, EVERY)
        except NoAnswer as fault:
            _log.debug("the feeds of the demonstration could not be sent", reason=str(fault))
            time.sleep(AGAIN)  # the gateway is not there yet
        else:
            time.sleep(EVERY)
