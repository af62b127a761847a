"""`aoetui doctor` as a program: what it prints, what it ends with, what is in its bundle."""

from __future__ import annotations

import json
import re
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from aoetui.engine.api import ExitCode
from aoetui.engine.commands.doctor import Verdict
from tests.support import program
from tests.support.engines import add, disk, engine_in, spec
from tests.support.program import run, unprivileged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import VethPair

CANARY = "correct-horse-battery"
TELLTALES = re.compile(rf"{CANARY}|passw|secret[ _-]?key|BEGIN [A-Z ]*PRIVATE|LANG=|PATH=", re.IGNORECASE)


def test_a_device_that_answers(veth_pair: VethPair, tmp_path: Path) -> None:
    with engine_in(veth_pair.far) as far:
        add(far, spec(disk(tmp_path), interfaces=("far0",)))
        ended = run(veth_pair.near, tmp_path, "doctor", "-i", "near0", "--wait", "1", "9.1")
    assert (ended.returncode, ended.stderr) == (ExitCode.DONE, "")
    assert ended.stdout.startswith("Nothing is wrong: 1 device answers on near0.\n\n")
    assert re.search(r"^\* ok +target +e9\.1 answers on near0 in \d", ended.stdout, re.MULTILINE)


def test_what_is_wrong_in_json(veth_pair: VethPair, tmp_path: Path) -> None:
    ended = run(veth_pair.near, tmp_path, "doctor", "-i", "far0", "--wait", "1", "--json")
    assert (ended.returncode, ended.stderr) == (ExitCode.NO, "")
    told = json.loads(ended.stdout)
    assert told["version"] == 1
    report = told["report"]
    assert (report["healthy"], report["asked"], report["bundle"]) == (False, [], None)
    assert report["findings"][0] == {
        "check": "interface",
        "subject": "far0",
        "verdict": "fault",
        "seen": "there is no interface far0",
        "remedy": "`aoetui doctor -i near0`; there are near0",
    }
    assert {each["verdict"] for each in report["findings"]} <= {verdict.value for verdict in Verdict}


def test_without_the_capability_it_says_the_exact_command_and_goes_on(veth_pair: VethPair, tmp_path: Path) -> None:
    veth_pair.near.set_link("near0", state="down")
    arguments = ("doctor", "-i", "near0", "--wait", "1")
    ended = run(veth_pair.near, tmp_path, program=[sys.executable, "-c", unprivileged(*arguments)])
    assert (ended.returncode, ended.stderr) == (ExitCode.NO, "")
    first, *_ = ended.stdout.splitlines()
    assert first.startswith("Nothing is seen: no permission to send and receive frames on near0")
    assert "CAP_NET_RAW" in first
    faults = [line.split()[2] for line in ended.stdout.splitlines() if line.startswith("x fault")]
    assert faults == ["permission", "interface"], ended.stdout


@pytest.fixture
def bundled(veth_pair: VethPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, str]]:
    """A bundle made where config and environment hold a secret, and what is in it by file."""
    plain = program.environment
    monkeypatch.setattr(program, "environment", lambda home: plain(home) | {"AOE_PASSWORD": CANARY})
    folder = tmp_path / "config/aoetui"
    folder.mkdir(parents=True)
    config = f'# the array\'s password is {CANARY}\n[engine]\ninterfaces = ["near0"] # {CANARY}\n'
    (folder / "config.toml").write_text(config)
    path = tmp_path / "for-support.tar.gz"
    ended = run(veth_pair.near, tmp_path, "doctor", "--wait", "1", "--bundle", str(path))
    assert (ended.returncode, ended.stderr) == (ExitCode.NO, "")
    with tarfile.open(path) as tar:
        return path, {each.name: _text(tar, each) for each in tar.getmembers()}


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = tar.extractfile(member)
    assert file is not None
    return file.read().decode()


def test_a_bundle_holds_what_its_manifest_lists_and_nothing_secret(bundled: tuple[Path, dict[str, str]]) -> None:
    path, files = bundled
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir() if "for-support" in each.name] == [path.name]
    listed = re.findall(r"^(\S+) +\S.*$", files["for-support/MANIFEST"].partition("\n\n")[2], re.MULTILINE)
    assert [f"for-support/{name}" for name in listed] == list(files)
    assert {"doctor.txt", "doctor.json", "snapshot.json", "config.json", "versions.txt", "dmesg.txt", "mdstat.txt"} <= set(listed)
    for name, text in files.items():
        assert not TELLTALES.search(text), name
    assert json.loads(files["for-support/config.json"])["interfaces"] == ["near0"]
    assert json.loads(files["for-support/doctor.json"])["asked"] == ["near0"]
    assert "nobody answered on near0" in files["for-support/doctor.txt"]
    assert "near0" in json.loads(files["for-support/cards.json"])


def test_a_bundle_overwrites_nothing(veth_pair: VethPair, tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("mine")
    ended = run(veth_pair.near, tmp_path, "doctor", "-i", "near0", "--wait", "1", "--bundle", str(path))
    assert ended.returncode == ExitCode.NO
    assert ended.stderr == f"aoetui: {path} exists: name a file that does not\n"
    assert path.read_text() == "mine"
