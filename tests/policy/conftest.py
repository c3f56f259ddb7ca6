"""The policies of the house, an agreement under them, and inputs that they permit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from gateway.partners.agreement import AgreementInForce, AgreementState, Partner, PurposeTerms
from gateway.partners.in_force import in_force
from gateway.partners.terms import parse_file
from gateway.policy.inputs import Inputs
from gateway.policy.policies import Policies, load

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def policies() -> Policies:
    """The policies that the house ships."""
    return load(ROOT / "policies")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the policies that a test may break."""
    return copytree(ROOT / "policies", tmp_path / "policies", ignore=ignore_patterns("refused"))


@pytest.fixture(scope="session")
def in_force_now(policies: Policies) -> AgreementInForce:
    """The agreement of docs/agreements.md, in force."""
    text = re.search(r"```toml\n(.*?)```", (ROOT / "docs/agreements.md").read_text("utf-8"), re.DOTALL)
    assert text is not None
    agreement = parse_file(text[1], "agreements.md", policies.purposes, AgreementState.IN_FORCE)[0].agreement
    assert agreement is not None
    partner = Partner("bank-contoh", "Bank Contoh", "bank", suspended=False, agreements=(agreement,), epoch=1)
    return in_force(partner, "account_opening", agreement.starts)


@pytest.fixture(scope="session")
def terms(in_force_now: AgreementInForce) -> PurposeTerms:
    """What the agreement says of account_opening."""
    return in_force_now.agreement.purposes["account_opening"]


@pytest.fixture(scope="session")
def inputs(in_force_now: AgreementInForce) -> Callable[..., Inputs]:
    """Makes inputs that are permitted, but for what the test changes."""
    sound = Inputs(
        partner="bank-contoh",
        kind="bank",
        agreement=in_force_now,
        purpose="account_opening",
        claims=frozenset({"name", "birth_date"}),
        consent="",
        channel=False,
        operator=False,
        on_behalf_of=False,
        address_allowed=True,
        certificate_allowed=True,
        client_id="bank-contoh-core",
        sender_constraint="dpop",
    )
    return lambda **changes: replace(sound, **changes)
