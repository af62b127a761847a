"""Beside Debian's vblade, aoecfg and aoeping: what one sets the other reads, and where they tell the same, they tell it alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bad_target import bad_target
from tests.support.program import run
from tests.support.smart import answers_smart

from .lab import FAR_LINK, NEAR_LINK, SHELF, SLOT

if TYPE_CHECKING:
    from .lab import Lab

ADDRESS = f"{SHELF}.{SLOT}"
PARTS = (str(SHELF), str(SLOT))
STRANGER = "02:00:00:00:00:77"


def ask(lab: Lab, verb: str, *arguments: str) -> tuple[str, int]:
    """What our program prints, stderr after stdout, and its exit code."""
    ended = run(lab.far, lab.folder, verb, "-i", FAR_LINK, *arguments)
    return ended.stdout + ended.stderr, ended.returncode


def aoecfg(lab: Lab, *arguments: str) -> str:
    """What aoecfg prints of one device."""
    return lab.run(lab.far, "aoecfg", "-t", "1", *arguments, *PARTS, FAR_LINK).stdout


@pytest.fixture
def ours(lab: Lab) -> Lab:
    """The lab, with an export of ours that answers."""
    lab.export(lab.disk(4))
    lab.initiator(lab.far, FAR_LINK).close()
    return lab


@pytest.fixture
def vblade(lab: Lab) -> Lab:
    """The lab, with a vblade that answers."""
    lab.vblade(lab.near, NEAR_LINK, lab.disk(4))
    lab.initiator(lab.far, FAR_LINK).close()
    return lab


@pytest.mark.interop("aoecfg")
def test_what_cfg_sets_aoecfg_reads_and_the_other_way_round(ours: Lab) -> None:
    assert ask(ours, "cfg", ADDRESS, "--set", "web01") == ("web01\n", 0)
    assert aoecfg(ours) == "web01\n"
    assert aoecfg(ours, "-c", "fset", "-s", "web02") == "web02\n" == ask(ours, "cfg", ADDRESS)[0]
    assert aoecfg(ours, "-c", "set", "-s", "web03") == "*badcfg*\n"
    assert ask(ours, "cfg", ADDRESS, "--set", "web03")[1] == 1


@pytest.mark.interop("aoecfg")
@pytest.mark.parametrize(("given", "option"), [((), ()), (("-c", "prefix", "-s", "we"), ("--prefix", "we"))])
def test_cfg_of_all_prints_what_aoecfg_prints(ours: Lab, given: tuple[str, ...], option: tuple[str, ...]) -> None:
    ask(ours, "cfg", ADDRESS, "--set", "web01")
    theirs = ours.run(ours.far, "aoecfg", "-t", "1", *given, FAR_LINK).stdout
    assert theirs == "9.1\tweb01\n"
    assert ask(ours, "cfg", *option) == (theirs, 0)


@pytest.mark.interop("aoeping")
def test_identify_tells_what_aoeping_tells(ours: Lab) -> None:
    theirs = ours.run(ours.far, "aoeping", "-s", "10", "-I", *PARTS, FAR_LINK).stdout
    fields = dict(line.split(": ", 1) for line in theirs.splitlines() if ": " in line)
    said = ask(ours, "identify", ADDRESS, "--fields", "serial,firmware,model")[0]
    assert said == f"serial: {fields['serial_number'].strip()}\nfirmware: {fields['firmware_rev'].strip()}\nmodel: aoetui\n"
    assert fields["model"].strip() == "aoetui"


@pytest.mark.interop("aoeping")
def test_identify_decodes_what_aoeping_dumps(ours: Lab) -> None:
    dump = ours.folder / "dump"
    dump.write_text(ours.run(ours.far, "aoeping", "-s", "10", "-i", *PARTS, FAR_LINK).stdout)
    decoded = run(ours.far, ours.folder, "identify", "--from-hex", str(dump))
    assert (decoded.stdout, decoded.returncode) == ask(ours, "identify", ADDRESS)


@pytest.mark.interop("aoeping")
def test_both_say_that_there_is_no_smart(ours: Lab) -> None:
    theirs = ours.run(ours.far, "aoeping", "-s", "10", "-S", "read_data", *PARTS, FAR_LINK)
    said, code = ask(ours, "ping", ADDRESS, "--smart", "read_data")
    assert (theirs.returncode, "does not support SMART" in theirs.stderr) == (1, True)
    assert (code, "has no SMART" in said) == (1, True)


@pytest.mark.interop("aoeping")
@pytest.mark.parametrize("command", ["read_data", "read_log:6", "enable", "disable", "offline_immediate:2"])
def test_smart_answers_as_aoeping_shows_it(lab: Lab, command: str) -> None:
    """A stand-in answers, because no target here has SMART."""
    with bad_target(lab.near, NEAR_LINK) as target:
        answers_smart(target)
        theirs = lab.run(lab.far, "aoeping", "-s", "10", "-S", command, *PARTS, FAR_LINK)
        ours = run(lab.far, lab.folder, "ping", "-i", FAR_LINK, ADDRESS, "--smart", command)
    assert (theirs.returncode, ours.returncode) == (0, 0), theirs.stderr + ours.stderr
    shown = [line.strip() for line in theirs.stdout.splitlines() if line.strip() and line.strip() != "ATA registers:"]
    assert [line.strip() for line in ours.stdout.splitlines()] == shown


@pytest.mark.interop("vblade")
def test_vblade_keeps_what_is_set(vblade: Lab) -> None:
    assert ask(vblade, "cfg", ADDRESS, "--set", "web01") == ("web01\n", 0)
    assert ask(vblade, "cfg", ADDRESS, "--prefix", "we") == ("web01\n", 0)
    said, code = ask(vblade, "cfg", ADDRESS, "--test", "web")
    assert (said, code) == ("aoetui: e9.1 does not match: its config string is web01\n", 1)
    said, code = ask(vblade, "reserve", ADDRESS, "--set")
    assert (code, "this host, br0" in said) == (0, True)
    assert ask(vblade, "reserve", ADDRESS, "--release")[1] == 0
    assert ask(vblade, "identify", ADDRESS, "--fields", "model") == ("model: Coraid EtherDrive vblade\n", 0)
    said, code = ask(vblade, "ping", ADDRESS, "-c", "1")
    assert (code, "1 sent, 1 answered" in said) == (0, True)


@pytest.mark.interop("vblade")
def test_a_vblade_that_does_not_delete_shuts_nobody_out(vblade: Lab) -> None:
    """vblade 25 answers a deletion and keeps the length of its list: what stands is told, and this host stays on it."""
    me = vblade.initiator(vblade.far, FAR_LINK)
    mac = me.mac.hex(":")
    me.close()
    assert ask(vblade, "mask", ADDRESS, "--add", f"{STRANGER},{mac}")[1] == 0
    for option in (("--clear",), ("--delete", STRANGER)):
        said, code = ask(vblade, "mask", ADDRESS, *option)
        assert code in {0, 1}
        assert mac in ask(vblade, "mask", ADDRESS)[0], said


@pytest.mark.interop("vblade")
def test_a_full_mask_list_of_vblade_is_told(vblade: Lab) -> None:
    """It holds 32."""
    mac = vblade.far.route(lambda netlink: netlink.get_links(vblade.far.index(FAR_LINK))[0].get("address"))
    many = ",".join([mac, *(f"02:00:00:00:01:{number:02x}" for number in range(40))])
    said, code = ask(vblade, "mask", ADDRESS, "--add", many)
    assert (code, "the mask list of e9.1 is full: 02:00:00:00:01:1f was not added" in said) == (1, True), said
