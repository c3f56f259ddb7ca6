"""Do the rows about tokens and certificates send what a server takes?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import bound, tokens
from bench.load import send_all
from bench.partner import question, residents
from bench.run import SINGLE, build_demo, gateway


def test_a_token_request_is_good_for_a_token(tmp_path: Path) -> None:
    """Each of the ready-made ones, once."""
    with gateway(build_demo(tmp_path / "demo", None)) as (partner, port):
        ready = tokens.requests(partner, partner.issuer + "/oauth2/token", 5)
        assert send_all(port, ready, 2).demand(200).statuses == {200: 5}
        with pytest.raises(RuntimeError, match="used before"):
            send_all(port, ready, 2).demand(200)


def test_a_call_by_certificate_is_answered(tmp_path: Path) -> None:
    """Behind a listed proxy, which the load client is."""
    place = tmp_path / "demo-tls"
    with bound.behind_a_proxy(place) as partner:
        bodies = [json.dumps(question(one, partner.purpose)).encode() for one in residents(place)[:5]]
        assert send_all(partner.port, partner.requests(SINGLE, bodies), 2).demand(200).statuses == {200: 5}
