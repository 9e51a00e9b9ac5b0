from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.clients.addresses import AddressPolicy

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd12::1",
    "0.0.0.0",
    "255.255.255.255",
]
NEVER_BY_NAME = ["169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::"]
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_need_no_permission(address: str) -> None:
    assert AddressPolicy().permits("anything.example", address)


@pytest.mark.parametrize("address", PRIVATE + NEVER_BY_NAME)
def test_other_addresses_need_permission(address: str) -> None:
    assert not AddressPolicy().permits("anything.example", address)


@pytest.mark.parametrize("wrapper", ["::ffff:{}", "64:ff9b::{}", "::{}"], ids=["mapped", "translated", "compatible"])
def test_an_address_wrapped_in_another_is_judged_by_what_is_inside(wrapper: str) -> None:
    """BUG-180."""
    assert not AddressPolicy().permits("x", wrapper.format("169.254.169.254"))
    assert AddressPolicy(["169.254.169.254"]).permits("x", wrapper.format("169.254.169.254"))


def test_a_6to4_address_is_judged_by_what_is_inside() -> None:
    assert not AddressPolicy().permits("x", "2002:7f00:1::")


@given(st.ip_addresses(v=4))
def test_a_mapped_address_is_permitted_exactly_when_the_plain_one_is(address: IPv4Address) -> None:
    policy = AddressPolicy(["10.0.0.0/8"])
    mapped = str(IPv6Address(b"\0" * 10 + b"\xff\xff" + address.packed))
    assert policy.permits("x", mapped) == policy.permits("x", str(address))


def test_a_block_opens_its_addresses_and_no_others() -> None:
    policy = AddressPolicy(["10.1.0.0/16"])
    assert policy.permits("x", "10.1.255.1")
    assert not policy.permits("x", "10.2.0.1")


def test_a_name_opens_its_own_private_addresses_only() -> None:
    """BUG-193: one allowed host does not open the network."""
    policy = AddressPolicy(["Airflow.Internal."])
    assert policy.permits("airflow.internal", "10.0.0.7")
    assert not policy.permits("other.internal", "10.0.0.7")


@pytest.mark.parametrize("address", NEVER_BY_NAME)
def test_a_name_never_opens_what_no_server_lives_at(address: str) -> None:
    assert not AddressPolicy(["airflow.internal"]).permits("airflow.internal", address)


def test_an_address_in_brackets_is_an_address() -> None:
    assert AddressPolicy(["[::1]"]).permits("::1", "::1")
