"""How is something decided and sealed on what holds now? Once, and once more when that has changed meanwhile.

Whoever seals for a caller goes through `attempt`: the corridor, sealed reads, administration, the authorization server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.errors import Cause, Refused
from gateway.oauth.client import Caller
from gateway.sealing.standing import Directory, Standing
from gateway.sealing.submission import Draft, Failed, StaleEpoch, Submission

Decided = TypeVar("Decided")
TRIES = 2


async def attempt(
    directory: Directory, step: Callable[[], Awaitable[Decided | StaleEpoch | Failed]], tries: int = TRIES
) -> Decided:
    """What `step` came to. It reads standings from `directory`, decides and seals; a stale epoch lets it do so again.

    Raises Refused: OVERLOADED when everything has changed each time, MALFORMED_REQUEST for what no transaction takes.
    """
    for _ in range(tries):
        outcome = await step()
        if isinstance(outcome, StaleEpoch):
            directory.forget(outcome.epochs)
        elif isinstance(outcome, Failed):
            raise Refused(Cause.MALFORMED_REQUEST, members=["body"])
        else:
            return outcome
    raise Refused(Cause.OVERLOADED, retry_after=1)


async def standing_of(directory: Directory, caller: Caller) -> Standing:
    """The standing of an identified caller. Raises Refused when its client is not registered any more, StoreUnavailable."""
    standing = await directory.standing(caller.client_id)
    if standing is None:
        raise Refused(Cause.INVALID_TOKEN, fault="the client is not registered any more")
    return standing


def submission_of(caller: Caller, standing: Standing, language: str, draft: Draft) -> Submission:
    """One outcome of one call, under the epochs at which it was decided."""
    return Submission(
        f"{caller.partner}/{caller.client_id}",
        language,
        standing.epochs,
        caller.expires,
        0,
        tuple((proof.id, proof.expires, proof.kind) for proof in caller.proofs),
        (draft,),
    )
