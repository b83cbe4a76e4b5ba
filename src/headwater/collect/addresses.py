"""Where a request comes from: the address of the client behind the proxies that are trusted (contract: 1.12)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from headwater.spec.errors import SetupError

_WITH_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+|\[([^\]]+)\](?::\d+)?")


_MAX_CHARS = 256


def plain_address(text: str) -> str:
    """An address in its plain form, from how sockets and headers write it, with or without a port; empty for none.

    IPv4 inside IPv6 is shown as IPv4.
    """
    return _plain(text) if len(text) <= _MAX_CHARS else ""


@lru_cache(maxsize=16_384)
def _plain(text: str) -> str:
    text = text.strip()
    found = _WITH_PORT.fullmatch(text)
    if found:
        text = found[1] or found[2]
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


class Proxies:
    """The networks whose X-Forwarded-For is believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        """`networks` are CIDR. Raises SetupError for what is not."""
        try:
            self._networks = [ip_network(network, strict=False) for network in networks]
        except ValueError as error:
            raise SetupError(f"collect.trusted_proxies: {error}; write networks as CIDR, such as 10.0.0.0/8.") from None
        self._trusts = lru_cache(maxsize=16_384)(self._is_inside)

    def trusts(self, address: str) -> bool:
        """Is this plain address that of a trusted proxy?"""
        return self._trusts(address)

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The client's plain address: the peer, or the right-most hop of X-Forwarded-For that is no trusted proxy.

        `forwarded` are the header's lines in order. A hop that is no address ends the search, as nobody trusted wrote
        what stands left of it. Empty when the peer has no address.
        """
        address = plain_address(peer)
        if not forwarded or not self._trusts(address):
            return address
        for hop in reversed(",".join(forwarded).split(",")):
            found = plain_address(hop)
            if not found:
                break
            address = found
            if not self._trusts(address):
                break
        return address

    def _is_inside(self, address: str) -> bool:
        if not address:
            return False
        known = ip_address(address)
        return any(known in network for network in self._networks if network.version == known.version)
