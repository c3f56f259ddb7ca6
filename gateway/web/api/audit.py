"""Which calls audit the gateway, and which stand at a resident's side? Rows of the table of administration."""

from __future__ import annotations

from functools import partial

from gateway.administration.requests import audit
from gateway.web.api.rows import PAGED, CallRow

READ, NOTE, DIAGNOSE, WRITE, SEE = "audit.read", "audit.note", "register.diagnose", "partners.write", "partners.read"
SPAN = ("since", "until")
FILTERS = ("partner", "purpose", "kind", "outcome", *SPAN)
LOT = ("seed", "count", "end")
NDJSON = b"application/x-ndjson"
_row = partial(CallRow, tag="audit")
_at_residents = partial(CallRow, tag="residents")

AUDIT_ROWS: tuple[CallRow, ...] = (
    _row("GET", "/v1/assignments", SEE, "assignments", "Assignments of auditors", query=PAGED),
    _row("POST", "/v1/assignments", WRITE, "propose_assignment", "Propose an assignment", audit.NewAssignment, 202),
    _row("GET", "/v1/assignments/{id}", SEE, "assignment", "One assignment"),
    _row("DELETE", "/v1/assignments/{id}", WRITE, "end_assignment", "Take an assignment back at once",
        watches="assignment"),
    _row("GET", "/v1/ledger/assignments", READ, "own_assignments", "The caller's own assignments", query=PAGED),
    _row("GET", "/v1/ledger/overview", READ, "audit_overview", "What waits for an auditor or an officer: counts",
        also=DIAGNOSE),
    _row("GET", "/v1/ledger/checkpoint", READ, "checkpoint", "The published checkpoint, its witnesses and the kept copy"),
    _row("GET", "/v1/ledger/entries", READ, "search", "Search the ledger", query=(*FILTERS, *PAGED)),
    _row("GET", "/v1/ledger/entries/{id}", READ, "entry", "One entry: leaf, private part and proof"),
    _row("GET", "/v1/ledger/export", READ, "export",
        "Entries with proofs, as NDJSON: of a search, or with `seed` of a sample", query=(*FILTERS, *PAGED, *LOT),
        media=NDJSON),
    _row("GET", "/v1/ledger/sample", READ, "sample", "Entries by lot, drawn by a seed", query=(*FILTERS, *LOT)),
    _row("POST", "/v1/ledger/search-nik", READ, "search_nik", "Who asked about a resident", audit.NikSearch, posted=True),
    _row("GET", "/v1/ledger/findings", READ, "findings", "What should be looked at",
        query=("partner", "rule", "state", *SPAN, *PAGED)),
    _row("POST", "/v1/ledger/findings/{id}", NOTE, "note_finding", "Note owner, state and words on a finding",
        audit.FindingNote),
    _at_residents("GET", "/v1/access-requests", READ, "access_requests", "The officer's own requests", query=PAGED,
        also=DIAGNOSE),
    _at_residents("POST", "/v1/access-requests", READ, "open_access_request", "Open a request for access for a resident",
        audit.NewAccessRequest, 201, also=DIAGNOSE, location="/v1/access-requests/{id}"),
    _at_residents("GET", "/v1/access-requests/{id}", READ, "access_request",
        "Who asked about the resident, when and for what", query=PAGED, also=DIAGNOSE),
    _at_residents("POST", "/v1/access-requests/{id}/withhold", READ, "withhold",
        "Withhold an entry or a purpose, on a basis", audit.Withholding, also=DIAGNOSE),
    _at_residents("POST", "/v1/access-requests/{id}/close", READ, "close_access_request",
        "Close it: the sealed NIK is destroyed", audit.Closing, also=DIAGNOSE),
    _at_residents("GET", "/v1/incidents", NOTE, "incidents", "Personal-data incidents", query=PAGED, also=SEE),
    _at_residents("POST", "/v1/incidents", NOTE, "record_incident", "Record a personal-data incident", audit.NewIncident,
        201, also=WRITE, location="/v1/incidents/{id}"),
    _at_residents("POST", "/v1/incidents/{id}/notified", NOTE, "note_notice", "Write down that the notice was given",
        audit.Notice, also=WRITE, watches="incident"),
    _at_residents("GET", "/v1/incidents/{id}", NOTE, "incident", "One incident, with its clock", also=SEE),
)  # fmt: skip
