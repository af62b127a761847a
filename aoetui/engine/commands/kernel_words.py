"""The words for the Linux driver's states and for what helps, in one place: command line, SAN and help take them from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aoetui.engine.commands.kernel import KernelRemark, Remedy

if TYPE_CHECKING:
    from aoetui.engine.protocol.address import Address

CLOSEWAIT = (
    "The driver gave the device up while it was open, and it still is: its users get I/O errors. Unmount or close it; once the"
    " target answers, revalidate it, or flush it to forget it."
)
KICKME = (
    "The driver has requests and no path that takes one now: normal for a moment. If it stays, the target's buffer count is"
    " below 2, or each of its interfaces was given up: look at the links, then discover."
)
DOWN = (
    "The driver gave the device up, since it did not answer for aoe_deadsecs (180 s), or its target was never ready. Its next"
    " answer brings it back; flush it if it is to be forgotten."
)
LINUX = "What this host's Linux aoe driver, if it is loaded, makes of the device: /dev/etherd/eX.Y is its work, not aoetui's."

STATES = (("linux", LINUX), ("closewait", CLOSEWAIT), ("kickme", KICKME), ("linux down", DOWN))
"""For help: each word of the driver, and what it means."""


_CONSOLE = {
    Remedy.NOTHING: "",
    Remedy.DISCOVER: "press d to discover",
    Remedy.REVALIDATE: "press v to revalidate it",
    Remedy.FLUSH: "press F to flush it",
    Remedy.CLOSE: "unmount or close it, then press v to revalidate it once the target answers, or F to flush it",
    Remedy.INTERFACES: "run `aoetui kernel interfaces` to change the driver's list",
    Remedy.LOOK: "look at the target, the cable and the switch",
}
_COMMAND = {
    Remedy.NOTHING: "",
    Remedy.DISCOVER: "`aoetui kernel discover`",
    Remedy.REVALIDATE: "`aoetui kernel revalidate {0}`",
    Remedy.FLUSH: "`aoetui kernel flush {0}`",
    Remedy.CLOSE: "unmount or close it, `aoetui kernel revalidate {0}` when the target answers, or `aoetui kernel flush {0}`",
    Remedy.INTERFACES: "`aoetui kernel interfaces IFACE...`",
    Remedy.LOOK: "look at the target, the cable and the switch",
}


def _joined(what: str, remedy: str) -> str:
    return f"{what}: {remedy}" if remedy else what


def in_console(remark: KernelRemark) -> str:
    """The remark with the key to press."""
    return _joined(remark.what, _CONSOLE[remark.remedy])


def on_command_line(remark: KernelRemark) -> str:
    """The remark with the command to run, the device's address before it."""
    subject = "" if remark.address is None else f"{remark.address}: "
    return subject + _joined(remark.what, _COMMAND[remark.remedy].format(remark.address))


def command_for(remark: KernelRemark) -> str:
    """The command to run alone; empty if none helps."""
    return _COMMAND[remark.remedy].format(remark.address)


def comes_back(address: Address) -> str:
    """What to know after a flush."""
    return f"{address} is forgotten; it comes back with the next discovery, within a minute, if its target still answers"
