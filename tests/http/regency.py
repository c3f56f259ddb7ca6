"""What does a regency office send? Batches made by hand, from the words of the wire contract alone."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from days import day
from partner import Partner

_serials = itertools.count(1)


def jcs(document: Any) -> bytes:
    """RFC 8785 for text, whole numbers, lists and objects with ASCII names."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(changes: Any) -> str:
    """The digest of a batch."""
    return base64.urlsafe_b64encode(hashlib.sha256(jcs(changes)).digest()).rstrip(b"=").decode()


def moment(hours: float = 0) -> str:
    """An instant from now, RFC 3339."""
    return (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")


def change(nik: str, event: str, phase: str = "settled", **members: Any) -> dict[str, Any]:
    """One row."""
    return {"nik": nik, "event": event, "phase": phase, "occurred_on": day(), **members}


class RegencyOffice:
    """An office of a served gateway, and the feed of its regency as the centre has it."""

    def __init__(self, gateway: Any, which: int = 0) -> None:
        facts = gateway.facts["regencies"][which]
        self.gateway, self.code, self.client = gateway, facts["code"], gateway.partner(facts["client_id"])
        self.path = f"/v1/feeds/{self.code}"

    def newborn(self, **claims: str) -> dict[str, Any]:
        """Somebody whom nobody knows yet: NIK and claims."""
        serial = next(_serials)
        nik = f"{self.code}01{1 + serial % 28:02d}0190{9000 + serial // 28:04d}"
        whole = {"name": f"UJI COBA {serial}", "birth_date": "1990-01-05", "marital_status": "BELUM KAWIN"} | claims
        return {"nik": nik, "claims": whole}

    def born(self, *people: dict[str, Any], recorded: bool = True) -> None:
        """Register them by the feed, with biometrics unless they are not `recorded`."""
        rows = [change(one["nik"], "birth", claims=one["claims"]) for one in people]
        rows += [change(one["nik"], "biometric_recorded") for one in people if recorded]
        reply = self.send(rows)
        assert (reply.status_code, reply.json()["accepted"]) == (200, len(rows)), reply.text

    def body(self, changes: list[Any], sequence: int | None = None, **members: Any) -> dict[str, Any]:
        """A batch, the next one unless `sequence` says another."""
        return {
            "sequence": self.state()["next"] if sequence is None else sequence, "complete_until": moment(),
            "digest": digest(changes), "changes": changes, "touched": [],
        } | members  # fmt: skip

    def send(self, changes: list[Any], sequence: int | None = None, **members: Any) -> Any:
        """The reply to a batch."""
        return self.post(self.body(changes, sequence, **members))

    def post(
        self, body: object, *, packed: bool = False, path: str = "", by: Partner | None = None, **headers: str
    ) -> Any:
        """The reply to any body at all."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        more = {"Content-Encoding": "gzip"} if packed else {}
        sent = gzip.compress(raw) if packed and not isinstance(body, bytes) else raw
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (by or self.client).call("POST", path or f"{self.path}/batches", sent, headers=more | named)

    def state(self) -> dict[str, Any]:
        """Where the feed stands."""
        reply = self.client.call("GET", self.path)
        assert reply.status_code == 200, reply.text
        document: dict[str, Any] = reply.json()
        return document

    def told(self, person: dict[str, Any]) -> tuple[bool, str, str | None]:
        """(match, status, reason) that a partner is answered about somebody."""
        basic = {name: person["claims"][name] for name in ("name", "birth_date")}
        body = {"nik": person["nik"], "purpose": "taxpayer_registration", "claims": basic}
        document = self.gateway.partner("tax").verify(body).json()
        return document.get("match"), document.get("status", ""), document.get("reason")

    def diagnose(self, person: dict[str, Any], by: Partner | None = None) -> Any:
        """The reply to a diagnosis at the desk."""
        return (by or self.client).call("POST", "/v1/register/diagnose", {"nik": person["nik"], "ticket": "T-1"})
