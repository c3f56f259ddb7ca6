"""How is the entrance of the console put together?"""

from __future__ import annotations

from collections.abc import Callable

from gateway.app.house import House
from gateway.staff.passkeys import Relying
from gateway.store.staff_entrance import GatehouseOf
from gateway.verification.entrance import Entrance


def entrance_of(house: House, note: Callable[[str], None]) -> tuple[Entrance, GatehouseOf]:
    """(the entrance, what it reads and writes, to be closed at the end). `note` counts a refusal before identity."""
    settings = house.settings
    gatehouse = GatehouseOf(house.database, house.clock, house.entropy)
    relying = Relying(settings.console_origin or settings.issuer, settings.console_name)
    return Entrance(gatehouse, relying, house.clock, house.entropy, note), gatehouse
