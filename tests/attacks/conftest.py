"""Which running gateways do the attacks share? One of two workers on each database, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from deployment import Deployment, deployed, fresh_database


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def node(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A running gateway of two workers and a sealer; whoever stops it starts it again."""
    if request.param == "sqlite":
        with deployed(workers=2) as deployment:
            yield deployment
        return
    with fresh_database(request.getfixturevalue("postgresql_server")) as url, deployed(url, workers=2) as deployment:
        yield deployment
