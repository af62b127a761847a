"""What a person reads when a packet socket cannot be opened; the refusals are the kernel's own."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import EngineError, ExitCode, NoPermissionError
from aoetui.engine.packet import PacketSocket
from aoetui.engine.permission import own_command

if TYPE_CHECKING:
    from tests.support.netns import Namespace, VethPair

_CAPABILITY_VERSION_3 = 0x20080522


@pytest.mark.parametrize("name", ["eth77", "a-name-longer-than-linux-allows", ""])
def test_a_missing_interface_is_named(namespace: Namespace, name: str) -> None:
    with pytest.raises(EngineError, match=f"there is no interface {name}: `ip -br link`") as refused:
        namespace.run(lambda: PacketSocket(name))
    assert refused.value.field == "interfaces"


def test_a_name_is_never_cut_to_that_of_another_interface(veth_pair: VethPair) -> None:
    veth_pair.near.set_link("near0", state="down")
    veth_pair.near.set_link("near0", ifname="fifteen-letters")
    with pytest.raises(EngineError, match="there is no interface"):
        veth_pair.near.run(lambda: PacketSocket("fifteen-letters-and-more"))


def test_the_loopback_is_not_ethernet(namespace: Namespace) -> None:
    with pytest.raises(EngineError, match="lo is not an Ethernet interface"):
        namespace.run(lambda: PacketSocket("lo"))


def open_without_capabilities() -> None:
    """Open as a thread that may nothing."""
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    assert ctypes.CDLL(None).capset(head, none) == 0  # of this thread alone
    PacketSocket("lo")


def test_without_permission_the_exact_command_is_given(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/aoe tui/bin/aoetui", "discover", "-i", "eth1"])
    monkeypatch.setattr("os.geteuid", lambda: 1000)  # the tests may run as root
    with pytest.raises(NoPermissionError) as refused:
        namespace.run(open_without_capabilities)
    text = str(refused.value)
    assert refused.value.exit_code is ExitCode.NO_PERMISSION
    assert text.startswith(
        "no permission to send and receive frames on lo: run `sudo '/opt/aoe tui/bin/aoetui' discover -i eth1`"
    )
    assert "--ambient-caps=+net_raw '/opt/aoe tui/bin/aoetui' discover -i eth1`" in text
    assert "\n" not in text


def test_root_without_the_capability_is_not_told_to_use_sudo(namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)  # or as anybody else
    with pytest.raises(NoPermissionError, match="without CAP_NET_RAW, start it with that capability") as refused:
        namespace.run(open_without_capabilities)
    assert "sudo" not in str(refused.value)


def test_run_as_a_module_the_command_names_the_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/aoetui/__main__.py", "discover"])
    monkeypatch.setattr("sys.executable", "/opt/venv/bin/python")
    assert own_command() == "/opt/venv/bin/python -m aoetui discover"
