"""Does the bench measure what it says?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from bench import imports
from bench.load import request_bytes, send_all, send_paced
from bench.partner import Prover, proven, question
from bench.primitive import Floor
from bench.run import in_turns
from bench.serving import free_port, served, uvicorn

PATH = "/v1/verifications"
PEOPLE = [
    {"nik": f"740215450590{serial}", "claims": {"name": f"SITI {serial}", "birth_date": "1990-05-05"}}
    for serial in range(9001, 9011)
]


@pytest.mark.parametrize("app", ["bare", "noop", "crypto"])
def test_every_floor_answers_the_same_request(app: str) -> None:
    """Each floor answers 200 to every ready-made verification, and the client counts every one."""
    port = free_port()
    bodies = [json.dumps(question(one, "account_opening")).encode() for one in PEOPLE]
    requests = proven(Prover(), "t" * 700, "http://127.0.0.1", PATH, bodies)
    with served(uvicorn(f"bench.floors:{app}", port), port):
        assert send_all(port, requests, 4).demand(200).statuses == {200: len(PEOPLE)}


def test_a_wrong_answer_stops_a_measurement() -> None:
    """The client does not count an answer that it did not want."""
    port = free_port()
    with served(uvicorn("bench.floors:crypto", port), port):
        outcome = send_all(port, [request_bytes("/nowhere", b"{}")], 1)
    with pytest.raises(RuntimeError, match="404"):
        outcome.demand(200)


def test_paced_requests_do_not_wait_for_each_other() -> None:
    """Each is sent when it is due and timed from then on: with one connection the late ones have waited for it."""
    port = free_port()
    requests = [request_bytes(PATH, b"{}")] * 40
    with served(uvicorn("bench.floors:bare", port), port):
        calm = send_paced(port, requests, 200.0, 8).demand(200)
        rushed = send_paced(port, requests, 1e6, 1).demand(200)
    assert calm.statuses == rushed.statuses == {200: 40}
    assert calm.rate < 210, "not faster than they are due"
    assert rushed.p99 > 0.5 * len(requests) / rushed.rate, "the last has waited for all before it"


def test_an_import_is_measured_whole() -> None:
    """Every resident of the file is taken, and the very rows that are kept of them are what the bare side inserts."""
    with imports.prepared(300) as both:
        for _, ours, theirs in both:
            assert ours() > 0
            assert theirs() > 0
            assert ours() > 0


def test_every_proof_is_fresh_and_bound() -> None:
    """A proof is signed by its own key, names its URL and token, and no two are alike."""
    prover = Prover()
    key = ECKey.import_key(prover.jwk)
    assert key.thumbprint() == prover.thumbprint
    proofs = [prover.prove("https://a/b", "t") for _ in range(2)]
    first, second = (jwt.decode(proof, key, algorithms=["ES256"]).claims for proof in proofs)
    assert first["jti"] != second["jti"]
    assert (first["htm"], first["htu"], first["ath"]) == (
        "POST",
        "https://a/b",
        "47mKTaMaEn1L3m5DAz9muidMqw636xxw7EFAK_YnPdg",
    )


def test_the_primitive_floor_really_compares(tmp_path: Path) -> None:
    """The loop passes over right claims and stops at a wrong one."""
    floor = Floor(tmp_path / "floor.db", PEOPLE)
    items = [question(one) for one in PEOPLE]
    assert floor.seconds(items) > 0
    items[3]["claims"]["name"] = "SOMEONE ELSE"
    with pytest.raises(ValueError, match="3"):
        floor.seconds(items)
    floor.close()


def test_a_ratio_is_the_median_of_pairs() -> None:
    """Both sides take turns, and one bad pair does not move the ratio."""
    ours, theirs = iter([100.0, 1.0, 100.0]), iter([50.0, 50.0, 50.0])
    assert in_turns(3, lambda: next(ours), lambda: next(theirs)) == (2.0, "100/s : 50/s")
