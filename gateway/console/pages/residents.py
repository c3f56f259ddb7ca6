"""What is done at a resident's side? The track record that a resident asks for, and incidents, each with its 72 hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.administration.requests import audit
from gateway.console.frame.page import (
    APPROVER,
    AUDITOR,
    PAGED,
    REGENCY_OPERATOR,
    REGISTRAR,
    Action,
    Ask,
    Column,
    Field,
    Page,
    TableSpec,
)
from gateway.console.frame.session import Visit
from gateway.console.pages.countdown import countdown

Documents = Mapping[str, Any]
READ, NOTE, SEE, WRITE, DIAGNOSE = "audit.read", "audit.note", "partners.read", "partners.write", "register.diagnose"
_OFFICERS = frozenset({AUDITOR, REGENCY_OPERATOR})
_INCIDENTS = frozenset({AUDITOR, REGISTRAR, APPROVER})
_RECORDS = frozenset({AUDITOR, REGISTRAR})
_RECORD = (Column("at", "time"), Column("by"), Column("purpose", "choice"), Column("answered", "yes"))


def _request(docs: Documents, visit: Visit, now: int) -> Documents:
    """The clock, when the sheet was made, and the purposes that may be withheld."""
    held = docs["request"]
    clock = countdown(held["opened_at"], held["due_at"], held["closed_at"], now, visit.words)
    asked = {each["purpose"] for each in held.get("entries", []) if each["purpose"]}
    return {"clock": clock, "now": visit.words.instant(now), "purposes": sorted(asked)}


def _incident(docs: Documents, visit: Visit, now: int) -> Documents:
    held = docs["incident"]
    return {"clock": countdown(held["recorded_at"], held["notice_due_at"], held["notified_at"], now, visit.words)}


PAGES: tuple[Page, ...] = (
    Page(
        name="requests",
        path="/console/access-requests",
        roles=_OFFICERS,
        menu=True,
        asks=(Ask("requests", "access_requests", READ, query=PAGED, also=DIAGNOSE),),
        tables=(
            TableSpec(
                "requests",
                "requests",
                (
                    Column("reference", "code", link="/console/access-requests/{id}"),
                    Column("state", "state"),
                    Column("opened_at", "time"),
                    Column("due_at", "time"),
                    Column("closed_at", "time"),
                    Column("late", "yes"),
                ),
            ),
        ),
        actions=(
            Action(
                "open_access_request",
                _OFFICERS,
                READ,
                audit.NewAccessRequest,
                (Field("nik", "nik"), Field("reference")),
                after="/console/access-requests/{id}",
                also=DIAGNOSE,
            ),
        ),
    ),
    Page(
        name="request",
        path="/console/access-requests/{id}",
        roles=_OFFICERS,
        parent="requests",
        asks=(Ask("request", "access_request", READ, path={"id": "id"}, query=PAGED, also=DIAGNOSE),),
        tables=(TableSpec("record", "request", _RECORD, items="entries"),),
        actions=(
            Action(
                "withhold",
                _OFFICERS,
                READ,
                audit.Withholding,
                (Field("entry", "fixed", required=False), Field("purpose", "fixed", required=False), Field("basis")),
                path={"id": "id"},
                when={"state": "open"},
                also=DIAGNOSE,
            ),
            Action(
                "close_access_request",
                _OFFICERS,
                READ,
                audit.Closing,
                (Field("outcome", "choice", choices=("delivered", "withdrawn")),),
                path={"id": "id"},
                grave=True,
                when={"state": "open"},
                also=DIAGNOSE,
            ),
        ),
        template="request.html",
        made=_request,
    ),
    Page(
        name="record",
        path="/console/access-requests/{id}/print",
        roles=_OFFICERS,
        parent="requests",
        asks=(
            Ask(
                "request",
                "access_request",
                READ,
                path={"id": "id"},
                query=("cursor",),
                fixed={"limit": "200"},
                also=DIAGNOSE,
            ),
        ),
        tables=(TableSpec("record_print", "request", _RECORD, items="entries"),),
        template="record.html",
        made=_request,
    ),
    Page(
        name="incidents",
        path="/console/incidents",
        roles=_INCIDENTS,
        menu=True,
        asks=(Ask("incidents", "incidents", NOTE, query=PAGED, also=SEE),),
        tables=(
            TableSpec(
                "incidents",
                "incidents",
                (
                    Column("description", link="/console/incidents/{id}"),
                    Column("partners", "codes"),
                    Column("affected", "number"),
                    Column("recorded_at", "time"),
                    Column("notice_due_at", "time"),
                    Column("notified_at", "time"),
                ),
            ),
        ),
        actions=(
            Action(
                "record_incident",
                _RECORDS,
                NOTE,
                audit.NewIncident,
                (
                    Field("description", "area"),
                    Field("since", "day"),
                    Field("until", "day"),
                    Field("partners", "names"),
                ),
                after="/console/incidents/{id}",
                also=WRITE,
            ),
        ),
    ),
    Page(
        name="incident",
        path="/console/incidents/{id}",
        roles=_INCIDENTS,
        parent="incidents",
        asks=(Ask("incident", "incident", NOTE, path={"id": "id"}, also=SEE),),
        facts=(
            Column("description"),
            Column("partners", "codes"),
            Column("since", "time"),
            Column("until", "time", label="before"),
            Column("affected", "number"),
            Column("recorded_by"),
            Column("recorded_at", "time"),
            Column("notice_due_at", "time"),
            Column("notified_at", "time"),
            Column("notice"),
        ),
        actions=(
            Action(
                "note_notice",
                _RECORDS,
                NOTE,
                audit.Notice,
                (Field("reference"),),
                path={"id": "id"},
                watch="incident",
                when={"notified_at": None},
                also=WRITE,
            ),
        ),
        template="incident.html",
        made=_incident,
    ),
)
