"""What may the private part of each kind of entry hold? Every member that the program writes, and what it means.

docs/ledger-entries.md is generated from here; the tests hold what a whole run has written against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.ledger.log.entry import Kind


@dataclass(frozen=True, slots=True)
class Members:
    """Names of members: those that every entry of a kind has, and those that some have."""

    always: frozenset[str]
    sometimes: frozenset[str]


MEANINGS: Mapping[str, str] = {
    "act": "The administrator's or partner's act that was refused or repeated.",
    "address": "Network address of the caller.",
    "accepted": "How many changes of a batch were taken.",
    "affected": "How many residents an incident concerns.",
    "after": "Digest, or state, of what was changed, as it is now.",
    "amount": "Rupiah that came in.",
    "approval": "Id of the proposal that was approved.",
    "approver": "The second person.",
    "assignment": "Id of the auditor's assignment.",
    "auditor": "Whose assignment it is.",
    "basis": "On which legal basis something is withheld from a resident.",
    "before": "Digest, or state, of what was changed, as it was; in a record of destruction: sealed before this instant.",
    "certificate": "SHA-256 of the caller's TLS certificate.",
    "change": "What was done, as a word.",
    "channel": "By which channel the partner was asked, as it says.",
    "claims": "Names of the claims that were sent, without their values; of a rekeying, the version of their key.",
    "client": "Id of the client.",
    "complete_until": "Until when a feed says that its regency is complete.",
    "consent": "The legal basis that the partner named.",
    "count": "How many private parts were destroyed.",
    "counts": "How many calls were refused, by reason.",
    "digest": "SHA-256 over the JCS of a batch's changes.",
    "drafts": "How many agreements of a file were taken.",
    "dropped": "Changes that had waited in records and turned out to be of no order.",
    "due": "The day on which a duty is due; not told where an agreement is restored without a delivery.",
    "duty": "Which duty.",
    "ended": "How many sessions of a member ended with it.",
    "entry": "Id of the entry that is withheld.",
    "file": "SHA-256 of the file.",
    "filters": "What was searched for.",
    "finding": "Id of the finding that was noted.",
    "from": "The first sequence that a consolidation stands for.",
    "incident": "Id of the incident.",
    "index": "Version of the key of the index.",
    "kid": "Id of the key.",
    "kinds": "Kinds of entries whose private parts were destroyed.",
    "left": "How many records are still under an older key.",
    "late": "Whether the clock had run out.",
    "level": "Per cent of the allowance that were passed.",
    "limit": "The allowance or balance.",
    "lines": "Lines of the file.",
    "missing": "Sequences that a held batch waits for.",
    "member": "Id of the member of staff.",
    "member_person": "Who that member is.",
    "notice": "When those concerned were told of an incident.",
    "notice_due_at": "When they have to be told.",
    "of": "What was read or changed, by its id.",
    "old": "Origin, size and root of the log before.",
    "on_behalf_of": "For whom an intermediary asked.",
    "operator": "Who asked at the partner, as it says.",
    "origin": "Origin of the new log.",
    "outcome": "What came of it within: the status, `unknown`, `different`, or the slug of a refusal; of a reading, what was read.",
    "partner": "Id of the partner.",
    "partners": "Ids of the partners whose questions an incident concerns.",
    "passkey": "Id of the passkey.",
    "payment": "Reference of the payment.",
    "period": "Day or month of an allowance, or the balance.",
    "person": "Who did it, by name.",
    "policy": "Digest of the policies that decided.",
    "price": "What it cost, under each agreement.",
    "proposer": "The first person.",
    "purpose": "The purpose that is withheld.",
    "reason": "Why, as a slug or a line of text.",
    "reference": "Reference of the consent, the request or the delivery.",
    "referral": "Id of the case about a NIK that does not work.",
    "refused": "Lines of a file that were refused; of a batch, how many changes, by slug.",
    "regency": "Code of the regency.",
    "regencies": "How many regencies the file is of.",
    "request": "Id of the resident's request.",
    "restored": "Whether an agreement was restored by it.",
    "rewritten": "How many records were rewritten.",
    "role": "What the process does.",
    "rows": "Rows of the file.",
    "scopes": "What the client may do.",
    "seed": "Seed of the made-up register.",
    "sequence": "Number of a batch in its feed.",
    "session": "Public id of a console session.",
    "sound": "Whether every row was sound.",
    "stage": "Which reminder.",
    "state": "Digest of what the answer depended on; of a request, its state.",
    "subject": "The resident's keyed tag.",
    "suspensions": "What was lifted.",
    "synthetic": "The residents are made up.",
    "taken": "Residents taken into the register.",
    "ticket": "Number of the ticket at the desk.",
    "to": "The last sequence that a consolidation stands for.",
    "token": "Id (`jti`) of the access token.",
    "upto": "The last sequence that is settled with it.",
    "version": "Version of the agreement.",
    "watched": "For how long something was watched.",
}


def _of(always: str = "", sometimes: str = "") -> Members:
    return Members(frozenset(always.split()), frozenset(sometimes.split()) - frozenset(always.split()))


_CALL = "address token"
_ACT = f"{_CALL} person"
_TWO = "approval proposer"
_ASKED = "claims policy price state subject"
_SAID = "certificate channel operator on_behalf_of consent reference"

PRIVATE: Mapping[Kind, Members] = {
    Kind.ANSWER: _of(f"{_CALL} outcome {_ASKED}", _SAID),
    Kind.REFUSAL: _of(
        "address outcome",
        f"{_ACT} act after before change partner reason {_ASKED} {_SAID}",
    ),
    Kind.REPEAT: _of("address outcome token", f"act person {_ASKED} {_SAID}"),
    Kind.TOKEN: _of("address"),
    Kind.READ: _of(
        "address outcome token", f"{_ACT} assignment file filters of regency request rows sound subject ticket watched"
    ),
    Kind.REFUSED_UNIDENTIFIED: _of("counts"),
    Kind.AGREEMENT: _of("after before", f"{_ACT} {_TWO} change drafts of reason suspensions version"),
    Kind.PARTNER: _of("after partner", f"{_ACT} {_TWO} before change reason"),
    Kind.CLIENT: _of("client", f"{_ACT} {_TWO} after before change kid partner reason scopes"),
    Kind.APPROVAL: _of("after approval before change", f"{_ACT} partner proposer reason"),
    Kind.DUTY: _of("change duty", f"{_ACT} after before due partner reason reference restored stage"),
    Kind.MONEY: _of("change partner", f"{_ACT} {_TWO} after amount before level limit payment period reason"),
    Kind.REVOCATION: _of(_CALL),
    Kind.INTROSPECTION: _of(_CALL),
    Kind.IMPORT: _of("taken", "file lines refused regencies seed synthetic"),
    Kind.FEED: _of(
        "change digest regency",
        f"{_ACT} {_TWO} accepted complete_until dropped from missing refused sequence to upto",
    ),
    Kind.REFERRAL: _of("change referral regency subject", f"{_ACT} late reason ticket"),
    Kind.REKEY: _of("claims index left rewritten"),
    Kind.START: _of("", "policy role"),
    Kind.DESTRUCTION: _of("approver before count kinds proposer"),
    Kind.NEW_LOG: _of("approver old origin proposer reason"),
    Kind.AUDIT: _of(f"{_CALL} after before change person", f"{_TWO} assignment auditor finding"),
    Kind.ACCESS_REQUEST: _of(f"{_CALL} change person request", "basis entry late purpose reference state subject"),
    Kind.INCIDENT: _of(f"{_CALL} change incident person", "affected late notice notice_due_at partners reason"),
    Kind.STAFF: _of(
        "member",
        f"{_ACT} {_TWO} after before change ended member_person partner passkey reason session",
    ),
}


def undeclared(kind: str, members: Iterable[str]) -> set[str]:
    """Members that an entry of a kind has and should not, and those that it lacks (with a minus before them)."""
    found, declared = set(members), PRIVATE[Kind(kind)]
    return (found - declared.always - declared.sometimes) | {f"-{name}" for name in declared.always - found}
