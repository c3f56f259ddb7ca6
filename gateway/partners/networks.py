"""Does a call come from an address that was agreed?"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address


@lru_cache(100_000)
def within(text: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address may come written as IPv6 (::ffff:192.0.2.1)."""
    address: IPv4Address | IPv6Address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
