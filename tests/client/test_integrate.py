"""Does every example of docs/integrate.md run as it stands?"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import Cause
from nik_gateway_client import refusals

GUIDE = Path(__file__).parents[2] / "docs" / "integrate.md"
NEVER_FOR_VERIFICATIONS = {"same-person", "assignment-missing", "not-found", "method-not-allowed", "conflict"} | {
    "sequence-conflict",
    "not-own-region",
}


@pytest.fixture(params=["ES256", "EdDSA"])
def demo_profile(request: pytest.FixtureRequest, tmp_path: Path, write_profile: Callable[..., Path]) -> Path:
    """A profile where a demo puts it, with the two files beside that the guide reads."""
    profile_path = write_profile(request.param)
    folder = tmp_path / "demo" / "partners" / "bank-1"
    folder.mkdir(parents=True)
    for name in ("profile.toml", "key.jwk"):
        shutil.copy(profile_path.parent / name, folder / name)
    claims = {"name": "SITI AMINAH", "birth_date": "1990-05-05", "sex": "F"}
    resident = {"nik": "7402154505909001", "claims": claims, "status": "active", "reason": None}
    (tmp_path / "demo" / "residents.sample.ndjson").write_text(json.dumps(resident) + "\n")
    partners = [{"client_id": "bank-1", "purposes": ["account_opening"]}]
    (tmp_path / "demo" / "demo.json").write_text(json.dumps({"partners": partners}))
    return folder / "profile.toml"


def test_every_example_runs(peer, demo_profile, capsys) -> None:
    """The Python examples run one after another, and the foreign client among them gets its answer too."""
    peer.token_nonce, peer.resource_nonce = "n-token", "n-token"
    names: dict[str, object] = {"profile_path": str(demo_profile)}
    examples = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    for example in examples:
        exec(compile(example, str(GUIDE), "exec"), names)  # noqa: S102  our own page
    assert len(examples) >= 10
    assert (names["eligible"], names["outcome"]) == (True, "usable")
    assert "\nusable\n" in capsys.readouterr().out


def test_every_refusal_is_explained_under_its_exception() -> None:
    """The guide's table names every slug that a verification can meet, in the row of the exception that it raises."""
    rows: dict[str, str] = {}
    kind = ""
    for line in GUIDE.read_text().splitlines():
        cells = line.split(" | ")
        if line.startswith("| ") and len(cells) == 4:
            kind = cells[0].strip("|` ") or kind
            rows |= dict.fromkeys(re.findall(r"`([a-z-]+)`", cells[1]), kind)
    slugs = {cause.value for cause in Cause} - NEVER_FOR_VERIFICATIONS
    assert {slug: rows.get(slug) for slug in slugs} == {slug: refusals._KINDS[slug].__name__ for slug in slugs}
