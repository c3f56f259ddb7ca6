"""What is told of traffic over HTTP, to whom, and how soon? The house sees all partners, a partner itself alone."""

from __future__ import annotations

from typing import Any

from desk import slug


def totals(reply: Any) -> dict[str, Any]:
    """The sums of an answer."""
    assert reply.status_code == 200, reply.text
    total: dict[str, Any] = reply.json()["total"]
    return total


def test_a_call_is_seen_at_once_by_the_house_and_by_its_partner(office) -> None:
    """Answers, refusals by cause and the allowance left; a partner's own view names nobody else."""
    partner, agreement, client = office.bring_in()
    path = f"/v1/traffic?partner={partner}&step=minute"
    assert totals(office.get(path))["calls"] == 0
    assert office.ask(client).json()["usable"] is True
    asked = office.gateway.question(client.client_id, office.gateway.resident(), purpose="tax_administration")
    refused = slug(client.verify(asked))
    assert refused
    for reply in (office.get(path), office.get("/v1/usage/traffic?step=minute", by=client)):
        total = totals(reply)
        assert (total["calls"], total["usable"], total["refusals"]) == (2, 1, {refused: 1})
        shown = reply.json()
        assert [each["partner"] for each in shown["partners"]] == [partner]
        (allowance,) = shown["allowances"]
        assert (allowance["agreement"], allowance["limits"]["day"]["spent"]) == (agreement, 1)
        assert len(shown["points"]) == 60
    whole = office.get("/v1/traffic?step=day").json()
    assert whole["total"]["calls"] >= 2
    assert whole["points"][-1]["latency"].keys() == {"calls", "p50", "p95", "p99"}


def test_who_may_see_traffic(office, gateway) -> None:
    """Registrars and approvers the house's, an auditor what was assigned; a partner its own and no other's."""
    for who in (office.registrar, office.approver):
        assert office.get("/v1/traffic?step=hour", by=who).status_code == 200
    office.assigned()
    seen = office.get("/v1/traffic?step=hour", by=gateway.partner("auditor")).json()
    assert {one["partner"] for one in seen["partners"]} <= {"bpjs"}
    bank = gateway.partner("bpjs")
    assert slug(office.get("/v1/traffic", by=bank)) == "insufficient-scope"
    assert slug(office.get("/v1/usage/traffic?partner=small", by=bank)) == "malformed-request"
    assert slug(office.get("/v1/usage/traffic", by=office.registrar)) == "insufficient-scope"
    assert slug(office.get("/v1/traffic?step=year")) == "malformed-request"
