"""Do many agreements come in at once under the rules of one? All or none, as drafts, and told line by line."""

from __future__ import annotations

from typing import Any

from desk import Office, fields, slug

DATABASES = ("sqlite",)  # what is asked here does not depend on the database


def bring(office: Office, *lines: dict[str, Any], dry: bool = False) -> dict[str, Any]:
    """The answer to an import."""
    reply = office.post("/v1/agreements/import", {"agreements": list(lines), "dry_run": dry})
    assert reply.status_code == 200, reply.text
    document: dict[str, Any] = reply.json()
    return document


def line(partner: str, name: str = "", **changes: Any) -> dict[str, Any]:
    """One agreement of an import."""
    return {"id": name or f"imp-{partner}", "partner": {"id": partner}, **fields(**changes)}


def test_a_dry_run_tells_and_changes_nothing(office) -> None:
    """What would be created; afterwards there is no such agreement."""
    first, second = office.register(), office.register()
    told = bring(office, line(first), {**line(second), "partner": second}, dry=True)
    assert told["imported"] is False
    assert [(row["agreement"], row["partner"], row["version"], row["outcome"]) for row in told["rows"]] == [
        (f"imp-{each}", each, 1, "create") for each in (first, second)
    ]
    assert slug(office.get(f"/v1/agreements/imp-{first}")) == "not-found"


def test_drafts_come_in_together_and_are_approved_one_by_one(office) -> None:
    """The digest told is the one that is proposed; the same import again changes nothing; an agreement in force gets a draft."""
    first, second = office.register(), office.register()
    told = bring(office, line(first), line(second))
    assert told["imported"] is True
    for row in told["rows"]:
        shown = office.get(f"/v1/agreements/{row['agreement']}/versions/1").json()
        assert (shown["state"], shown["digest"], shown["missing"]) == ("draft", row["digest"], [])
    again = bring(office, line(first), line(second))
    assert {row["outcome"] for row in again["rows"]} == {"unchanged"}
    assert office.approve(office.propose(told["rows"][0])).status_code == 200
    assert office.get(f"/v1/agreements/imp-{first}").json()["state"] == "in_force"
    assert office.get(f"/v1/agreements/imp-{second}").json()["state"] == "draft"
    cheaper = {**fields()["allowance"], "tariff": 900}
    needed = bring(office, line(first, allowance=cheaper))
    assert (needed["imported"], needed["rows"][0]["missing"]) == (False, ["dpia.date"])
    assessed = {"reference": "DPIA/2", "date": "2026-11-01"}
    newer = bring(office, line(first, allowance=cheaper, dpia=assessed))
    assert [(row["version"], row["outcome"]) for row in newer["rows"]] == [(2, "new_version")]
    assert office.get(f"/v1/agreements/imp-{first}").json()["version"] == 1


def test_one_fault_keeps_all_of_them_out(office) -> None:
    """Each line says what is wrong with it; nothing of the import was done."""
    partner, other = office.register(), office.register()
    office.draft(other, id=f"taken-{other}")
    for broken, word in (
        (line(partner, dpia=None), "dpia"),
        ({**line(partner), "partner": {"id": "nobody-registered"}}, "partner.id"),
        ({**line(partner), "partner": {"id": partner, "name": "Another"}}, "partner.name"),
        ({**line(partner), "client": []}, "client"),
        (line(partner, "import"), "id"),
        (line(partner, "No Id"), "id"),
        (line(partner, f"imp-{other}"), "twice"),
        (line(partner, f"taken-{other}"), "another partner"),
        (line(other, f"taken-{other}", note="new"), "waits"),
        ({**line(partner), "version": 3}, "version"),
    ):
        told = bring(office, line(other), broken)
        assert told["imported"] is False, word
        bad = told["rows"][1]
        assert any(word in each for each in [*bad["faults"], *bad["missing"]]), (word, bad)
        assert bad["outcome"] is None
        assert slug(office.get(f"/v1/agreements/imp-{other}")) == "not-found"
    for body in ({"agreements": []}, {"agreements": ["x"]}, {}):
        assert slug(office.post("/v1/agreements/import", body)) == "malformed-request"
    assert slug(office.post("/v1/agreements/import", {"agreements": [{}]}, by=office.approver)) == "insufficient-scope"
