"""What is wrong with an agreement that reads well, held against what stands now?

The day, the version before, the institutions that there are, and how much of the internet the operator lets one agreement admit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from gateway.partners.agreement import INTERMEDIARY, Agreement
from gateway.partners.difference import needs_assessment


@dataclass(frozen=True, slots=True)
class Reach:
    """The most that the networks of one agreement may admit together: as much as one network of this prefix length."""

    ipv4: int = 16
    ipv6: int = 32


@dataclass(frozen=True, slots=True)
class Present:
    """What a version is held against.

    `today` is the day in Asia/Jakarta, `previous` the newest version that was approved, `classes` the class of each
    institution that can be asked for, by its id.
    """

    today: date
    previous: Agreement | None = None
    classes: Mapping[str, str] = field(default_factory=dict)
    reach: Reach = Reach()


@dataclass(frozen=True, slots=True)
class Objections:
    """Paths of what is missing, and faults in words that begin with their path."""

    missing: tuple[str, ...]
    faults: tuple[str, ...]


def objections(read: Agreement, present: Present) -> Objections:
    """Everything that keeps a version from being proposed as things are."""
    missing, faults = [], [*_principals(read, present.classes), *_networks(read, present.reach)]
    if needs_assessment(present.previous, read) and not _newer_assessment(present.previous, read):
        missing.append("dpia.date")
        faults.append("dpia.date: a change of purpose, element or allowance needs a newer impact assessment")
    if _assessed(read) > present.today.isoformat():
        faults.append("dpia.date: lies in the future: no activation before the impact is assessed, art 34(2)e")
    return Objections(tuple(missing), tuple(faults))


def principals_of(agreement: Agreement) -> list[str]:
    """Whom an intermediary may ask for under this version."""
    named = agreement.fields.get("on_behalf_of")
    return [str(name) for name in named] if isinstance(named, list) else []


def _principals(read: Agreement, classes: Mapping[str, str]) -> list[str]:
    faults = []
    for name in principals_of(read):
        if name == read.partner:
            faults.append(f"on_behalf_of: `{name}` is the partner itself")
        elif name not in classes:
            faults.append(f"on_behalf_of: `{name}` is no registered partner: register it first")
        elif classes[name] == INTERMEDIARY:
            faults.append(f"on_behalf_of: `{name}` is an intermediary and has no questions of its own")
    return faults


def _networks(read: Agreement, reach: Reach) -> list[str]:
    four = [each for each in read.networks if isinstance(each, IPv4Network) and not each.is_loopback]
    six = [each for each in read.networks if isinstance(each, IPv6Network) and not each.is_loopback]
    sums = (
        (4, reach.ipv4, 32, sum(each.num_addresses for each in collapse_addresses(four))),
        (6, reach.ipv6, 128, sum(each.num_addresses for each in collapse_addresses(six))),
    )
    return [
        f"access.addresses: together they let in more of IPv{family} than one /{most} (setting agreements.widest_ipv{family})"
        for family, most, bits, admitted in sums
        if admitted > 1 << (bits - most)
    ]


def _newer_assessment(previous: Agreement | None, new: Agreement) -> bool:
    return previous is None or _assessed(new) > _assessed(previous)


def _assessed(agreement: Agreement) -> str:
    dpia = agreement.fields.get("dpia")
    return str(dpia.get("date", "")) if isinstance(dpia, Mapping) else ""
