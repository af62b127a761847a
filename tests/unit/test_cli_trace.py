"""`aoetui trace --read`, and what is wrong with a trace without looking at the wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from aoetui.cli import run
from aoetui.engine.api import ExitCode
from aoetui.engine.protocol.captured import Captured, Direction
from aoetui.engine.protocol.pcap import PcapngWriter, PcapWriter, file_bytes
from aoetui.engine.tracing import live
from tests.unit.protocol import golden

if TYPE_CHECKING:
    from pathlib import Path

READ = golden.READ_48
AT = 1_800_000_000_000_123_456
PLAIN = Captured(AT, "", Direction.UNKNOWN, READ, len(READ))


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's own config, state or log."""
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))


def saved(path: Path, *frames: Captured) -> Path:
    """A capture file."""
    writer = PcapngWriter() if path.suffix == ".pcapng" else PcapWriter()
    path.write_bytes(b"".join(file_bytes(frames, writer)))
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: ExitCode = ExitCode.DONE) -> tuple[list[str], str]:
    """Lines on stdout, and stderr."""
    assert run(["trace", *arguments]) == code
    out, err = capsys.readouterr()
    return out.splitlines(), err


def test_json_is_an_object_a_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a.pcapng", Captured(AT, "eth1", Direction.IN, READ, len(READ)))
    (line,), _ = printed(capsys, "--read", str(path), "--json", "-v")
    told = json.loads(line)
    assert (told["version"], told["time"], told["bytes"]) == (1, "2027-01-15T08:00:00.000123456+00:00", READ.hex())
    frame = told["frame"]
    assert (frame["number"], frame["interface"], frame["direction"], frame["address"]) == (1, "eth1", "in", "e9.1")
    assert (frame["what"], frame["source"]) == ("READ 2 at 0x10203040506", str(golden.INITIATOR))
    assert (frame["length"], frame["marks"]) == (36, [])
    assert {"section": "AoE", "name": "tag", "value": "0x0badcafe"} in told["fields"]


def test_verbose_prints_fields_and_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines, _ = printed(capsys, "--read", str(saved(tmp_path / "a.pcap", PLAIN)), "-v")
    assert "    ATA       LBA        1108152157446 (0x010203040506)" in lines
    assert "    0010  00 09 01 00 0b ad ca fe  40 00 02 24 06 05 04 03  ........@..$...." in lines


def test_text_from_the_wire_is_plain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = golden.CONFIG_REPLY[:30] + b"\0\x08\x1b[2J\x9b\r\n\x07"
    path = saved(tmp_path / "a.pcapng", Captured(AT, "eth\x1b[2J1", Direction.IN, frame, len(frame)))
    lines, _ = printed(capsys, "--read", str(path), "-v")
    assert all(line.isprintable() for line in lines)


def test_what_is_wrong_without_looking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, wrong = printed(capsys, "-i", "eth9", "--filter", "boom", code=ExitCode.USAGE)
    assert wrong.startswith("aoetui: 'boom' is no word of a filter: use e9.1")
    _, both = printed(capsys, "-i", "eth9", "--read", "x.pcap", code=ExitCode.USAGE)
    assert both == "aoetui: --read shows a file: leave -i, --seconds and --whole out\n"
    _, none = printed(capsys, code=ExitCode.USAGE)
    assert none.startswith("aoetui: no interface is chosen: name one with -i")
    path = saved(tmp_path / "a.pcap", PLAIN)
    _, kept = printed(capsys, "--read", str(path), "--write", str(path), code=ExitCode.NO)
    assert kept == f"aoetui: {path} exists: choose another name, or give --overwrite\n"
    assert path.stat().st_size > len(READ)


def test_what_a_file_has_wrong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path / "a.pcap", PLAIN, PLAIN)
    path.write_bytes(path.read_bytes()[:-1])
    lines, cut = printed(capsys, "--read", str(path))
    assert (len(lines), cut) == (1, f"aoetui: {path} ends within frame 2\n")
    path.write_text("no capture")
    assert printed(capsys, "--read", str(path), code=ExitCode.USAGE)[1] == f"aoetui: {path} is neither a pcap nor a pcapng file\n"
    assert "cannot be read: No such file or directory" in printed(capsys, "--read", str(tmp_path / "b"), code=ExitCode.NO)[1]


@pytest.mark.parametrize("words", ["", "ata", "read"])
def test_a_file_of_more_than_is_kept_at_once_is_shown_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(live, "KEPT_BYTES", 150_000)
    frames = [Captured(AT + tag, "", Direction.UNKNOWN, READ[:20] + tag.to_bytes(4) + READ[24:], 36) for tag in range(4_000)]
    path = saved(tmp_path / "a.pcap", *frames)
    lines, err = printed(capsys, "--read", str(path), "--json", "--filter", words)
    assert [json.loads(line)["frame"]["tag"] for line in lines] == list(range(4_000))
    assert err == ""


def test_what_is_read_can_be_written_again_as_far_as_it_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Captured(AT + 1, "", Direction.UNKNOWN, golden.CONFIG_READ, 32)
    source, target = saved(tmp_path / "a.pcap", PLAIN, other, PLAIN), tmp_path / "b.pcap"
    _, told = printed(capsys, "--read", str(source), "--filter", "ata", "--write", str(target))
    assert told == f"aoetui: 2 frames written to {target}\n"
    assert target.read_bytes() == b"".join(file_bytes([PLAIN, PLAIN], PcapWriter()))
    assert len(printed(capsys, "--read", str(source), "--count", "1")[0]) == 1
