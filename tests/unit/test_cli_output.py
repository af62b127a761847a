"""What is printed: aoe-stat's columns to the byte, and nothing that a terminal acts on."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.cli.output import complain, device_lines, print_json, stat_line, stat_size
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.snapshot import DeviceSnapshot, DeviceState, PathSnapshot, Sameness

WHEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def path(interface: str = "eth1", *, sector_count: int = 2, rtt_us: float | None = 110.0) -> PathSnapshot:
    mac = Mac.parse("52:54:00:a0:e0:01")
    return PathSnapshot(mac, interface, DeviceState.UP, rtt_us, sector_count, WHEN, WHEN)


def device(*paths: PathSnapshot, size: int | None = 10_737_418_240, config_string: bytes = b"web01") -> DeviceSnapshot:
    return DeviceSnapshot(
        address=Address(9, 1),
        ours=False,
        state=DeviceState.UP,
        size=size,
        model="aoetui",
        serial="7f3a11c0",
        firmware="1",
        config_string=config_string,
        buffer_count=64,
        firmware_version=1,
        sameness=Sameness.SAME,
        paths=paths or (path(),),
        first_seen=WHEN,
        last_seen=WHEN,
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "(NA)"),
        (0, "0.000GB"),
        (10_485_760, "0.010GB"),
        (999_999_999, "0.999GB"),
        (1_000_000_000, "1.000GB"),
        (10_737_418_240, "10.737GB"),
        (12_000_000_512 * 512, "6144.000GB"),
    ],
)
def test_sizes_are_those_of_aoe_stat(size: int | None, text: str) -> None:
    assert stat_size(size) == text


def test_a_line_has_the_columns_of_aoe_stat() -> None:
    assert stat_line(device()) == "      e9.1        10.737GB       eth1 1024  up            "


def test_interfaces_stand_once_each_with_commas_and_the_payload_is_the_least() -> None:
    line = stat_line(device(path("eth2", sector_count=17), path("eth1", sector_count=2), path("eth1")))
    assert line.split() == ["e9.1", "10.737GB", "eth1,eth2", "1024", "up"]


def test_what_answered_is_told_with_each_path() -> None:
    assert device_lines(device(path(), path("eth2", rtt_us=None))) == [
        'e9.1  10.7 GB  up  aoetui  serial 7f3a11c0  config "web01"',
        "    52:54:00:a0:e0:01  eth1  0.11 ms  1024 bytes a frame",
        "    52:54:00:a0:e0:01  eth2  no rtt yet  1024 bytes a frame",
    ]


def test_different_disks_at_one_address_are_said_so() -> None:
    assert "different disks" in device_lines(replace(device(), sameness=Sameness.DIFFERENT))[-1]


@given(st.binary(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_nothing_from_the_wire_reaches_the_terminal_as_a_control_character(config: bytes, model: str, serial: str) -> None:
    for line in device_lines(replace(device(config_string=config), model=model, serial=serial)):
        assert not {unicodedata.category(each) for each in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_json_is_one_object_with_a_version(capsys: pytest.CaptureFixture[str]) -> None:
    print_json("devices", (device(),))
    printed = json.loads(capsys.readouterr().out)
    assert printed["version"] == 1
    (only,) = printed["devices"]
    assert only["address"] == "e9.1"
    assert only["paths"][0]["mac"] == "52:54:00:a0:e0:01"
    assert only["config_string"] == "web01"


def test_a_complaint_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    complain("disk\n\x1b[2Jgone")
    assert capsys.readouterr().err == "aoetui: disk··[2Jgone\n"
