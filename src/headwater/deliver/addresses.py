"""Which addresses a destination may be at: the public ones, and those that the operator allows.

A destination's URL is untrusted: whoever may set it could make the house speak to machines behind the firewall. What
is checked is the address that is connected to, after the name was resolved, so no spelling of a host and no name that
changes its mind gets around it. Addresses that carry another (IPv4 in IPv6, NAT64, 6to4, Teredo) are judged by both.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from headwater.spec.errors import SetupError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NEVER_PUBLIC = (
    ipaddress.ip_network("168.63.129.16/32"),  # the host of a machine in Azure answers here
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments; a cloud's metadata among them
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays, retired
    ipaddress.ip_network("fec0::/10"),
)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read networks in CIDR form or as single addresses. Raises SetupError for what is neither."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            raise SetupError(f"{text!r} in allowed_addresses is no network, such as 10.1.0.0/16.") from None
    return tuple(found)


def permitted(text: str, allowed: Sequence[Network] = ()) -> bool:
    """May a destination be at this address? What is not an IP address may not."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_public(each) or _within(each, allowed) for each in _all_of(address))


def _all_of(address: Address) -> list[Address]:
    """The address and those it carries; an IPv4 address in its mapped form is just that."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    carried: list[Address] = [address]
    if any(address in network for network in _NAT64):
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        carried.append(address.sixtofour)
    if address.teredo is not None:
        carried.extend(address.teredo)
    if address in _COMPATIBLE and int(address) > 1:
        carried.append(ipaddress.IPv4Address(int(address)))
    return carried


def _public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not _within(address, _NEVER_PUBLIC)
    )


def _within(address: Address, among: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in among)
