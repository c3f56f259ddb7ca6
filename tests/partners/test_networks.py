"""Which addresses lie in what was agreed? Both families, and IPv4 written as IPv6."""

from __future__ import annotations

from ipaddress import ip_network

from gateway.partners.networks import within

AGREED = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))


def test_an_address_lies_in_what_was_agreed_or_does_not() -> None:
    """From the first address to the last; what is written as IPv6 is the IPv4 address that it is."""
    for inside in ("192.0.2.0", "192.0.2.255", "::ffff:192.0.2.1", "2001:db8::1", "2001:db8:ffff::"):
        assert within(inside, AGREED), inside
    for outside in ("192.0.3.0", "192.0.1.255", "::ffff:192.0.3.1", "2001:db9::1", "::1", "::c000:201"):
        assert not within(outside, AGREED), outside
    assert not within("192.0.2.1", ())
    assert not within("::ffff:192.0.2.1", AGREED[1:])
