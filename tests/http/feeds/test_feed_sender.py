"""Does an office's sender lose or double anything, however it is treated? The command itself, against served gateways."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from regency import RegencyOffice, change

from gateway.cli.feed import feed
from gateway.cli.feed_spool import Spool

ACTIVE = (True, "active", None)


@pytest.fixture
def office(gateway) -> RegencyOffice:
    """The second office: the first one's numbers are other tests' to use."""
    return RegencyOffice(gateway, 1)


def profile(office: RegencyOffice) -> str:
    """The office's profile."""
    return str(office.gateway.directory / "partners" / office.client.client_id / "profile.toml")


def run(office: RegencyOffice, *words: str, code: int = 0) -> Any:
    """Run a `feed` command; what it printed as JSON, line by line."""
    result = CliRunner().invoke(feed, [*words, "--profile", profile(office), "--json"], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """A file of changes, whole at once."""
    part = folder / f"{name}.part"
    part.write_text("".join(json.dumps(row) + "\n" for row in rows))
    part.rename(folder / f"{name}.ndjson")


def births(office: RegencyOffice, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(people, the rows that register them)."""
    people = [office.newborn() for _ in range(count)]
    return people, [change(one["nik"], event, claims=one["claims"] if event == "birth" else {})
                    for one in people for event in ("birth", "biometric_recorded")]  # fmt: skip


def test_files_of_a_folder_are_sent_in_order_and_once(office: RegencyOffice, tmp_path: Path) -> None:
    """What lies in the folder is sent in the order of its names; again, an empty batch only moves the watermark."""
    people, rows = births(office, 3)
    write(tmp_path, "2026-11-02", [change(people[0]["nik"], "order")])
    write(tmp_path, "2026-11-01", [*rows, change(people[1]["nik"], "order_lifted")])
    first = run(office, "send", str(tmp_path))
    assert [one["accepted"] for one in first] == [6, 1]
    assert first[0]["refused"] == [{"index": 6, "slug": "wrong-order"}]
    assert not list(tmp_path.glob("*.ndjson"))
    assert [office.told(one)[1] for one in people] == ["blocked", "active", "active"]
    again = run(office, "send", str(tmp_path))
    assert [one["accepted"] for one in again] == [0]
    (told,) = run(office, "status")
    assert (told["next"], told["gaps"], told["behind"]) == (again[0]["next"], [], False)


def test_an_old_backup_is_noticed_and_numbered_anew(office: RegencyOffice, tmp_path: Path) -> None:
    """Numbers that the centre knows with other bodies stop the sender; `--resume` goes on with the centre's."""
    run(office, "send", str(tmp_path))
    backup = (tmp_path / ".feed" / "state.json").read_bytes()
    run(office, "send", str(tmp_path))
    (tmp_path / ".feed" / "state.json").write_bytes(backup)
    for path in (tmp_path / ".feed" / "sent").glob("*.json"):
        path.unlink()
    people, rows = births(office, 1)
    write(tmp_path, "today", rows)
    result = CliRunner().invoke(feed, ["send", str(tmp_path), "--profile", profile(office)])
    assert "--resume" in str(result.exception)
    assert run(office, "send", str(tmp_path), "--resume")[0]["accepted"] == 2
    assert office.told(people[0]) == ACTIVE


def test_what_the_centre_lacks_is_sent_again(office: RegencyOffice, tmp_path: Path) -> None:
    """A batch that got lost behind the sender's back is sent again when the centre says that it is missing."""
    run(office, "send", str(tmp_path))
    people, rows = births(office, 1)
    write(tmp_path, "lost", rows)
    spool = Spool(tmp_path)
    spool.pack(tmp_path / "lost.ndjson", "2026-11-24T00:00:00Z")
    spool.taken(spool.pending()[0], {})  # the office takes it for sent
    write(tmp_path, "next", [change(people[0]["nik"], "anomaly")])
    assert run(office, "send", str(tmp_path))[0]["held"] is True
    assert office.told(people[0])[2] == "anomaly"
    assert office.state()["gaps"] == []


def test_changes_are_made_from_two_extracts(office: RegencyOffice, tmp_path: Path) -> None:
    """The difference of two CSV extracts, sent, leaves the register as the later one says; who vanished is told."""
    people = [office.newborn(regency=office.code) for _ in range(4)]
    names = ["nik", "name", "birth_date", "marital_status", "regency", "reason"]

    def extract(name: str, rows: list[dict[str, str]]) -> str:
        lines = [",".join(names), *(",".join(row.get(each, "") for each in names) for row in rows)]
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        return str(tmp_path / name)

    rows = [{"nik": one["nik"], **one["claims"]} for one in people]
    before = extract("before.csv", rows[:3])
    after = [
        rows[0] | {"marital_status": "KAWIN"},
        rows[1] | {"reason": "anomaly"},
        rows[3] | {"birth_date": _this_year()},
    ]
    folder = tmp_path / "out"
    folder.mkdir()
    office.born(*people[:3])
    words = [
        "make",
        before,
        extract("after.csv", after),
        str(folder / "day.ndjson"),
        "--regency",
        office.code,
        "--json",
    ]
    result = CliRunner().invoke(feed, words, catch_exceptions=False)
    assert result.exit_code == 1, result.output
    told = json.loads(result.stdout)
    assert told == {
        "changes": 4,
        "vanished": 1,
        "events": {"anomaly": 1, "biometric_recorded": 1, "birth": 1, "marriage": 1},
    }
    assert run(office, "send", str(folder))[0]["refused"] == []
    assert office.told(people[1])[2] == "anomaly"


def _this_year() -> str:
    return time.strftime("%Y-01-02")


def _killed(office: RegencyOffice, folder: Path, kills: int, files: int) -> None:
    """Send `files` files while the sender is killed `kills` times at random moments; then let it finish."""
    chance = random.Random(17)  # noqa: S311  a fault's moment, no secret
    command = [sys.executable, "-m", "gateway.cli", "feed", "send", str(folder), "--profile", profile(office)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NIK_")}
    people: list[dict[str, Any]] = []
    before = office.state()["next"]
    for kill in range(kills):
        for number in range(files):
            some, rows = births(office, 2)
            people += some
            write(folder, f"{kill:04d}-{number:02d}", rows)
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(chance.uniform(0.5, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
    run(office, "send", str(folder))
    assert not list(folder.glob("*.ndjson"))
    assert not Spool(folder).pending()
    refused = [
        json.loads(line) for path in (folder / ".feed").glob("refused-*") for line in path.read_text().splitlines()
    ]
    assert refused == []  # what came twice would be refused: `already-registered`
    assert {office.told(one) for one in people} == {ACTIVE}
    assert (
        0 <= office.state()["next"] - before - kills * files <= 1
    )  # an empty one, when all was sent before the last kill


@pytest.mark.parametrize("gateway", ["sqlite"], indirect=True)
def test_a_sender_that_is_killed_loses_and_doubles_nothing(office: RegencyOffice, tmp_path: Path) -> None:
    """Killed outright at random moments and started again, every change arrives once."""
    _killed(office, tmp_path, 3, 4)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_sender_that_is_killed_two_hundred_times_loses_and_doubles_nothing(
    office: RegencyOffice, tmp_path: Path
) -> None:
    """Killed outright 200 times on each database, every change arrives once."""
    _killed(office, tmp_path, 200, 3)
