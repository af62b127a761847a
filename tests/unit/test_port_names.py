"""Names of ports, to and fro."""

from __future__ import annotations

import pytest

from aoetui.engine.port_names import interface_of, port_name, split_port_name


@pytest.mark.parametrize(
    ("interface", "vlan", "name"), [("eth1", None, "eth1"), ("eth1", 100, "eth1 vlan 100"), ("eth1.5", 1, "eth1.5 vlan 1")]
)
def test_a_name_says_interface_and_vlan(interface: str, vlan: int | None, name: str) -> None:
    assert port_name(interface, vlan) == name
    assert split_port_name(name) == (interface, vlan)
    assert interface_of(name) == interface


@pytest.mark.parametrize("name", ["", "vlan 7", "vlan7", "eth1 vlan ", "eth1 vlan x", " vlan 7"])
def test_anything_else_is_an_interface(name: str) -> None:
    assert split_port_name(name) == (name, None)
