"""Which addresses destinations may be at."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.deliver.addresses import networks, permitted
from headwater.spec.errors import SetupError

PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:8.8.8.8"]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.7",
    "168.63.129.16",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2001:0:7f00:1::",
]
NOT_ADDRESSES = ["", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "1.2.3", "1.2.3.4.5", "8.8.8.8 "]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert permitted(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_in_all_disguises(address: str) -> None:
    assert not permitted(address)


@pytest.mark.parametrize("text", NOT_ADDRESSES)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not permitted(text)


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_all_forms_that_carry_it(address: ipaddress.IPv4Address) -> None:
    plain = permitted(str(address))
    assert permitted(f"::ffff:{address}") == plain
    assert permitted(str(ipaddress.IPv6Address((0x64FF9B << 96) | int(address)))) == plain


@given(st.ip_addresses())
def test_what_the_standard_library_calls_private_is_never_permitted(address: ipaddress.IPv4Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        mapped = getattr(address, "ipv4_mapped", None)
        carried = address in ipaddress.ip_network("64:ff9b::/32") if address.version == 6 else False
        assert not permitted(str(address)) or mapped or carried


def test_an_operator_can_allow_networks_and_single_addresses() -> None:
    allowed = networks(["10.1.0.0/16", "::1", " 127.0.0.1 "])
    assert permitted("10.1.2.3", allowed)
    assert permitted("::ffff:10.1.2.3", allowed)
    assert permitted("::1", allowed)
    assert permitted("127.0.0.1", allowed)
    assert not permitted("10.2.0.1", allowed)
    assert not permitted("127.0.0.2", allowed)


def test_a_network_that_is_none_is_the_operators_to_mend() -> None:
    with pytest.raises(SetupError, match="ten-dot-something"):
        networks(["ten-dot-something"])
