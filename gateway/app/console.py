"""How is the sign-in of the console put together?"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from gateway.administration.login_challenges import LoginChallenges
from gateway.administration.sign_in import SignIn
from gateway.app.deployment import Deployment
from gateway.config import Settings
from gateway.errors import Misconfigured
from gateway.keyring import Job
from gateway.oauth.login import Login, Provider
from gateway.staff.passkeys import Relying
from gateway.store.staff.sign_in import StoredSessions

CALLBACK = "/console/external"


def sign_in_of(deployment: Deployment, note: Callable[[str], None]) -> tuple[SignIn, StoredSessions]:
    """(sign-in, what it reads and writes, to be closed at the end). `note` counts a refusal before identity.

    Raises Misconfigured when the secret of the OpenID provider cannot be read.
    """
    settings, origin = deployment.settings, deployment.settings.console_origin or deployment.settings.issuer
    provider = _provider(settings)
    login = Login(provider, origin + CALLBACK, deployment.clock) if provider else None
    sessions = StoredSessions(deployment.database, deployment.clock, deployment.entropy)
    relying = Relying(origin, settings.console_name)
    used = deployment.keyring.mac(Job.NONCE)
    keys = [used, *(key for key in deployment.keyring.macs(Job.NONCE) if key is not used)]
    challenges = LoginChallenges(keys, deployment.clock, deployment.entropy)
    return SignIn(sessions, relying, deployment.clock, deployment.entropy, note, challenges, login), sessions


def _provider(settings: Settings) -> Provider | None:
    file, ca = settings.console_oidc_client_secret_file, settings.console_oidc_ca_file
    if not settings.console_oidc_issuer or file is None:
        return None
    try:
        secret = file.read_text("utf-8").strip()
        trust = None if ca is None else ssl.create_default_context(cafile=str(ca))
    except (OSError, UnicodeDecodeError) as fault:
        raise Misconfigured([f"console.oidc_client_secret_file, console.oidc_ca_file: {fault}"]) from fault
    return Provider(
        settings.console_oidc_issuer,
        settings.console_oidc_client_id,
        secret,
        settings.console_oidc_claim,
        settings.console_oidc_acr,
        settings.console_oidc_amr,
        insecure=settings.demo,
        trust=trust,
    )
