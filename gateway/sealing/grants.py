"""What does the authorization server seal? Tokens that it issues, revocations, and what it tells resource servers.

With each the client's assertion (and proof) is used up, in the one transaction in which it has its entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.clock import SECOND, Clock, Entropy, rfc3339_seconds, uuid7
from gateway.ledger.log.entry import Kind, request_digest
from gateway.oauth.access_token import TokenClaims
from gateway.oauth.client import ProofId
from gateway.sealing.queue import Sealing
from gateway.sealing.standing import Standing, partner_scope
from gateway.sealing.submission import Draft, Outcome, Revoke, Submission

Proofs = tuple[ProofId, ...]


class Grants:
    """Seals at the OAuth endpoints, each within an `attempt`.

    A `Sealed` with a `cause` refuses: a proof or an assertion was used before.
    """

    def __init__(self, clock: Clock, entropy: Entropy, sealing: Sealing) -> None:
        self._clock = clock
        self._entropy = entropy
        self._sealing = sealing

    async def token(self, standing: Standing, claims: TokenClaims, proofs: Proofs, address: str) -> Outcome:
        """The issue of a token."""
        answer = {
            "token": claims.jti,
            "scope": claims.scope,
            "expires_at": rfc3339_seconds(claims.exp * SECOND),
            "purposes": sorted({name for detail in claims.authorization_details for name in detail.purposes}),
        }
        return await self._seal(standing, Kind.TOKEN, {"address": address}, answer, proofs, ends=claims.exp * SECOND)

    async def revocation(self, standing: Standing, claims: TokenClaims | None, proofs: Proofs, address: str) -> Outcome:
        """A client gives up `claims`, a token of its own that holds; None: whatever it gave up was none."""
        private = {"address": address, "token": claims.jti if claims else ""}
        revoke = None
        if claims is not None and claims.jti not in standing.validity.revoked:
            revoke = Revoke(claims.jti, claims.client_id, claims.exp * SECOND, partner_scope(standing.partner.id))
        answer = {"revoked": revoke is not None}
        return await self._seal(standing, Kind.REVOCATION, private, answer, proofs, revoke=revoke)

    async def introspection(
        self, standing: Standing, document: Mapping[str, Any], proofs: Proofs, address: str, owner: Standing | None
    ) -> Outcome:
        """A resource server is told `document`; `owner` is the standing of the token's client that it was made from."""
        private = {"address": address, "token": document.get("jti", "")}
        answer = {"active": document["active"]}
        return await self._seal(standing, Kind.INTROSPECTION, private, answer, proofs, owner=owner)

    async def _seal(  # noqa: PLR0913  the members of a submission
        self,
        standing: Standing,
        kind: str,
        private: Mapping[str, Any],
        answer: Mapping[str, Any],
        proofs: Proofs,
        *,
        ends: int = 0,
        revoke: Revoke | None = None,
        owner: Standing | None = None,
    ) -> Outcome:
        nonce, id = self._entropy.bytes(32), uuid7(self._clock.now(), self._entropy)
        draft = Draft(id, kind, "", "", nonce, request_digest(nonce, b""), private, answer)
        client = standing.client
        submission = Submission(
            f"{client.partner}/{client.client_id}",
            "en",
            _older(standing.epochs, owner.epochs) if owner else standing.epochs,
            ends,
            0,
            tuple((proof.id, proof.expires, proof.kind) for proof in proofs),
            (draft,),
            revoke=revoke,
        )
        return (await self._sealing.seal([submission]))[0]


def _older(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The epochs of both; where they differ the older count, on which the seal says that things have moved."""
    return {scope: min(one.get(scope, count), count) for scope, count in {**one, **other}.items()}
