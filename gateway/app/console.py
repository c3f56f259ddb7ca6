"""How is the entrance of the console put together?"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from gateway.app.house import House
from gateway.config import Settings
from gateway.errors import Misconfigured
from gateway.oauth.login import Login, Provider
from gateway.staff.passkeys import Relying
from gateway.store.staff_entrance import GatehouseOf
from gateway.verification.entrance import Entrance

CALLBACK = "/console/external"


def entrance_of(house: House, note: Callable[[str], None]) -> tuple[Entrance, GatehouseOf]:
    """(the entrance, what it reads and writes, to be closed at the end). `note` counts a refusal before identity.

    Raises Misconfigured when the secret of the OpenID provider cannot be read.
    """
    settings, origin = house.settings, house.settings.console_origin or house.settings.issuer
    provider = _provider(settings)
    login = Login(provider, origin + CALLBACK, house.clock) if provider else None
    gatehouse = GatehouseOf(house.database, house.clock, house.entropy)
    relying = Relying(origin, settings.console_name)
    return Entrance(gatehouse, relying, house.clock, house.entropy, note, login), gatehouse


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
