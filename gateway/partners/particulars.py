"""What must an agreement say besides purposes, allowance and term?

The minimum contents of a PKS and of its application (Permendagri 102/2019 art 45, 17/2023 art 7 and 38), read into the
JSON-able `fields` of an `Agreement`: tables as dicts, days as YYYY-MM-DD.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from gateway.partners.table import FieldReader

CLASSES = frozenset({
    "ministry", "agency", "region", "bpjs", "public_hospital", "bank", "insurer", "finance_company", "telecom",
    "cooperative", "micro_business", "company", "intermediary",
})  # fmt: skip
"""Classes of partners. Only an `intermediary` asks for others (POJK 8/2023 art 22(2)b)."""

EXEMPTIONS = frozenset({
    "ministry", "region", "bpjs_kesehatan", "public_hospital", "cooperative", "micro_business",
})  # fmt: skip
"""Grounds on which no tariff is due, with proof (PP 10/2023)."""

ACCESS_METHODS = frozenset({"dpop", "mtls"})
SIDES = frozenset({"directorate", "partner"})
DUTIES = ("return_data", "semester_report")

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_HOURS = r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"


def read_particulars(table: FieldReader) -> dict[str, object]:
    """Everything that goes to `fields` as it was agreed; what is wrong goes to the table's faults."""
    fields: dict[str, object] = {
        "mou": _read_instrument(table.table("mou", "the memorandum of understanding comes before the PKS")),
        "pks": _read_instrument(table.table("pks", "number, signatories and hash of the signed agreement")),
        "supervising_ministry": table.text(
            "supervising_ministry", "the ministry or authority that supervises the partner"
        ),
        "access": _read_access(table.table("access", "method, addresses, certificates")),
        "duties": _read_duties(table.table("duties", "return data and semester report, with due dates")),
        "dpia": _read_dpia(table.table("dpia", "no activation without a DPIA, art 34(2)e")),
        "data_protection_officers": [
            _read_contact(entry)
            for entry in table.tables("data_protection_officers", "whom to ask about personal data")
        ],
        "breach_contact": _read_contact(
            table.table("breach_contact", "whom to tell of an incident within 72 hours, art 46")
        ),
        "sub_processors": [_read_processor(entry) for entry in table.tables("sub_processors", optional=True)],
        "on_behalf_of": list(table.texts("on_behalf_of", default=())),
        "suspension": _read_ending(table.table("suspension", "on which grounds it is suspended")),
        "termination": _read_ending(table.table("termination", "on which grounds it is ended, with which notice")),
    }
    return fields


def read_exemption(partner: FieldReader) -> dict[str, object] | None:
    """`exemption = { ground, proof }` of a partner table, None when no exemption is claimed."""
    if not partner.has("exemption"):
        return None
    table = partner.table("exemption")
    exemption: dict[str, object] = {
        "ground": table.choice("ground", EXEMPTIONS, "PP 10/2023"),
        "proof": table.text("proof", "number of the letter that proves the exemption"),
    }
    table.close()
    return exemption


def read_networks(addresses: object, table: FieldReader) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of `access.addresses`; `table` takes the faults."""
    networks = []
    for address in addresses if isinstance(addresses, list) else ():
        try:
            network = ip_network(address)
        except ValueError as error:
            table.faults.add(table.path("access.addresses"), f"`{address}` is no address or network ({error})")
            continue
        if network.prefixlen == 0:
            table.faults.add(table.path("access.addresses"), f"`{address}` lets the whole internet in")
        networks.append(network)
    return tuple(networks)


def _read_instrument(table: FieldReader) -> dict[str, object]:
    signatories: list[Mapping[str, object]] = []
    for entry in table.tables("signatories", "who signed, for either side"):
        side = entry.choice("side", SIDES, "directorate or partner")
        signatories.append({"name": entry.text("name"), "office": entry.text("office"), "side": side})
        entry.close()
    if signatories and {signatory["side"] for signatory in signatories} < SIDES:
        table.faults.add(table.path("signatories"), "both sides must have signed: directorate and partner")
    instrument: dict[str, object] = {
        "number": table.text("number", "as on its first page"),
        "date": table.day("date").isoformat(),
        "file_sha256": table.text(
            "file_sha256", "hash of the signed file", None, "[0-9a-f]{64}", "64 hexadecimal digits"
        ),
        "signatories": signatories,
    }
    table.close()
    return instrument


def _read_access(table: FieldReader) -> dict[str, object]:
    certificates = table.texts("certificates", default=())
    for thumbprint in certificates:
        if not _THUMBPRINT.fullmatch(thumbprint):
            table.faults.add(table.path("certificates"), f"`{thumbprint}` is no x5t#S256 thumbprint (43 characters)")
    access: dict[str, object] = {
        "method": table.choice("method", ACCESS_METHODS, "how tokens are bound: dpop or mtls"),
        "addresses": list(table.texts("addresses", "networks that its calls come from")),
        "certificates": list(certificates),
        "hours": table.text("hours", "", "", _HOURS, "a window as 07:00-21:00"),
        "signed_answers": table.flag("signed_answers", default=True),
    }
    if access["method"] == "mtls" and not certificates:
        table.faults.absent(table.path("certificates"), "method mtls needs them")
    table.close()
    return access


def _read_duties(table: FieldReader) -> dict[str, object]:
    duties: dict[str, object] = {}
    for name in DUTIES:
        duty = table.table(name, "a duty of every partner, with its due date")
        duties[name] = {"due": duty.day("due").isoformat(), "every_months": duty.whole("every_months", 1, 12)}
        duty.close()
    table.close()
    return duties


def _read_dpia(table: FieldReader) -> dict[str, object]:
    why = "no activation without a DPIA, art 34(2)e"
    dpia: dict[str, object] = {"reference": table.text("reference", why), "date": table.day("date", why).isoformat()}
    table.close()
    return dpia


def _read_contact(table: FieldReader) -> dict[str, object]:
    contact: dict[str, object] = {
        "name": table.text("name"),
        "email": table.text("email", "", None, r"[^@\s]+@[^@\s]+", "an e-mail address"),
        "phone": table.text("phone", default=""),
    }
    table.close()
    return contact


def _read_processor(table: FieldReader) -> dict[str, object]:
    processor: dict[str, object] = {
        "name": table.text("name"),
        "country": table.text(
            "country", "where the data are processed", None, "[A-Z]{2}", "a country code of two letters"
        ),
        "task": table.text("task", "what it does for the partner"),
    }
    table.close()
    return processor


def _read_ending(table: FieldReader) -> dict[str, object]:
    ending: dict[str, object] = {
        "grounds": list(table.texts("grounds")),
        "notice_days": table.whole("notice_days", 0, 365, 0),
    }
    table.close()
    return ending
