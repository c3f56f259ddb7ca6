"""What stands in a house that people work in? Something of each kind, so that no page that the table has is walked past."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from days import day
from deployment import Line, Partner

sys.path.append(str(Path(__file__).parents[1] / "http"))  # pytest's importlib mode puts no test folder on the path

from desk import fields

from gateway.administration.requests.audit import NewAssignment
from gateway.administration.requests.partners import ApprovedDigest, NewPartner
from gateway.administration.requests.staff import NewMember

BANK = "Bank Contoh Perabot"


def approved(console: Any, act: str, path: dict[str, str], body: Any) -> dict[str, Any]:
    """What an act of two persons came to."""
    proposed = console.act(act, path, body, "Demo Registrar")
    return dict(
        console.act("approve", {"id": proposed["approval"]}, ApprovedDigest(proposed["digest"]), "Demo Approver")
    )


def assign(console: Any, auditor: str, *partners: str) -> str:
    """An assignment over a month; its id."""
    body = NewAssignment(auditor, "ST/2026/117", list(partners), day(-30), day(1), day(30))
    return str(approved(console, "propose_assignment", {}, body)["assignment"])


async def _calls(console: Any) -> None:
    """Answers of every kind, and refusals."""
    partner = await Partner(console.deployment).log_in()
    line = await Line.to(console.deployment.port)
    for resident in console.deployment.residents[:12]:
        await partner.verify(line, partner.question(resident))
    for wrong in ({"purpose": "taxpayer_registration"}, {"claims": {"name": "A"}}, {"nik": "1"}):
        await partner.verify(line, partner.question(console.deployment.active[0]) | wrong)
    line.leave()


def furnish(console: Any, auditor: str, read: httpx.Client) -> dict[str, str]:
    """Path template → a path of something that is there, for every page that has parameters. `read`: the auditor's session."""
    with ThreadPoolExecutor(1) as apart:  # the browser's driver has this thread's loop
        apart.submit(lambda: asyncio.run(_calls(console))).result()
    partner = console.act("register_partner", {}, NewPartner(BANK, "bank"), "Demo Registrar")["id"]
    draft = console.act("draft_agreement", {"id": partner}, fields(), "Demo Registrar")
    agreement, version = draft["agreement"], {"a": draft["agreement"], "v": str(draft["version"])}
    approved(console, "propose_version", version, None)
    more = {"burst": 2000, "day": 9000, "month": 90_000, "tariff": 800, "prepaid": False}
    amended = fields(allowance=more, dpia={"reference": "DPIA/2", "date": day(-3)})
    console.act("draft_version", {"a": agreement}, amended, "Demo Registrar")
    waits = console.act("propose_version", {"a": agreement, "v": "2"}, None, "Demo Registrar")
    draft = console.act("draft_version", {"a": agreement}, {**amended, "term": {}}, "Demo Registrar")
    member = console.act("propose_member", {}, NewMember("Wahyu Perabot", ["auditor"]), "Demo Registrar")
    made = console.act("approve", {"id": member["approval"]}, ApprovedDigest(member["digest"]), "Demo Approver")[
        "member"
    ]
    assignment = assign(console, auditor, "bpjs", "dukcapil", partner)
    own = {"sec-fetch-site": "same-origin"}
    token = read.get("/console/me").text.partition('name="csrf" value="')[2].partition('"')[0]
    incident = {"description": "Akun pegawai dipakai orang lain", "since": day(-2), "until": day(), "partners": "bpjs"}
    resident = {"nik": console.deployment.active[3]["nik"], "reference": "LOKET-2026-31"}
    kept = []
    for path, form in (
        ("incidents/do/record_incident", incident),
        ("access-requests/do/open_access_request", resident),
    ):
        reply = read.post(f"/console/{path}", data={**form, "csrf": token}, headers=own)
        assert reply.status_code == httpx.codes.SEE_OTHER, reply.text
        kept.append(reply.headers["location"].partition("?")[0])
    entry = (
        read.get("/console/ledger?kind=answer").text.partition('href="/console/ledger/entries/')[2].partition('"')[0]
    )
    return {
        "/console/own/statements/{date}": f"/console/own/statements/{day(-1)}",
        "/console/approvals/{id}": f"/console/approvals/{waits['approval']}",
        "/console/partners/{id}": f"/console/partners/{partner}",
        "/console/partners/{id}/keys": "/console/partners/bpjs/keys",
        "/console/agreements/{a}": f"/console/agreements/{agreement}",
        "/console/agreements/{a}/versions/{v}": f"/console/agreements/{agreement}/versions/{draft['version']}",
        "/console/ledger/entries/{id}": f"/console/ledger/entries/{entry}",
        "/console/access-requests/{id}": kept[1],
        "/console/access-requests/{id}/print": f"{kept[1]}/print",
        "/console/incidents/{id}": kept[0],
        "/console/assignments/{id}": f"/console/assignments/{assignment}",
        "/console/staff/members/{id}": f"/console/staff/members/{made}",
    }
