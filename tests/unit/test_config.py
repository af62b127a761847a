"""The config file: what a person wrote survives every edit, what is wrong is named with its line, nothing is half written."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aoetui.engine import atomic
from aoetui.engine.api import EngineError, NoPermissionError, UsageError
from aoetui.engine.config import Config, ConfigError, ConfigFile
from aoetui.engine.config_text import lay_out
from aoetui.engine.protocol.address import Address, Mac
from aoetui.engine.spec import Durability, ExportSpec

WRITTEN = """\
# Rack 4, kept by ops.

[engine]   # what is scanned
interfaces = [
    "eth1", # "]" is no end here
]

# web01's disk
[[export]]
shelf = 9      # the rack
slot = 1
path = '/srv/web "01" [[export]].img'   # on the array
interfaces = ["eth1"]
label = \"\"\"\\
  [[export]] # no header, no comment\"\"\"

# a spare
[[ "export" ]]
slot = 2
"shelf" = 9
interfaces = ["eth*", 'en#1']
path = "/srv/spare.img"
# nothing more
"""
ONE = '[[export]]\nshelf = 1\nslot = 1\npath = "/a"\ninterfaces = ["e"]\n'


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    return ConfigFile(tmp_path / "config.toml")


def write(file: ConfigFile, text: str) -> None:
    path_of(file).write_text(text)


def path_of(file: ConfigFile) -> Path:
    assert file.path is not None
    return file.path


def text_of(file: ConfigFile) -> str:
    return path_of(file).read_text()


def spec(slot: int = 1, path: str = "/srv/web01.img", **others: object) -> ExportSpec:
    values: dict[str, object] = {"address": Address(9, slot), "path": Path(path), "interfaces": ("eth1",), **others}
    return ExportSpec(**values)  # type: ignore[arg-type] # each test names its own


NAMES = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="/"), min_size=1, max_size=15).map(
    lambda text: text.encode()[:15].decode(errors="ignore")
)
LABELS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=30).filter(str.isprintable)
MACS = st.binary(min_size=6, max_size=6).map(lambda raw: Mac(bytes([raw[0] & 0xFE | 2]) + raw[1:]))
WORDS = st.lists(MACS.map(str), max_size=3).map(tuple)
SPECS = st.builds(
    ExportSpec,
    address=st.builds(Address, st.integers(0, 0xFFFE), st.integers(0, 0xFE)),
    path=LABELS.map(lambda text: Path(f"/srv/{text}")),
    interfaces=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
    read_only=st.booleans(),
    durability=st.sampled_from(Durability),
    direct=st.booleans(),
    offset=st.integers(0, 1 << 48),
    length=st.none() | st.integers(1, 1 << 48),
    buffer_count=st.integers(2, 0xFFFF),
    vlan=st.none() | st.integers(1, 4094),
    accept=WORDS,
    deny=WORDS,
    serial=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20),
    label=LABELS,
    enabled=st.just(False),  # Enabled ones may not share a backing; that has tests of its own.
)


@settings(deadline=None)
@given(st.lists(SPECS, max_size=4, unique_by=lambda each: each.address), SPECS, st.lists(NAMES, max_size=2))
def test_what_is_put_is_loaded_whatever_stood_there(specs: list[ExportSpec], changed: ExportSpec, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = ConfigFile(Path(folder) / "config.toml")
        for each in specs:
            file.put_export(each)
        file.set_interfaces(names)
        assert file.load() == Config(tuple(names), tuple(specs))
        file.put_export(changed)
        assert {each.address: each for each in file.load().exports} == {each.address: each for each in [*specs, changed]}
        for each in file.load().exports:
            file.remove_export(each.address)
        assert file.load() == Config(tuple(names), ())


@settings(deadline=None)
@given(SPECS)
def test_an_edit_in_a_person_s_file_changes_that_export_alone(changed: ExportSpec) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = ConfigFile(Path(folder) / "config.toml")
        write(file, WRITTEN)
        before = file.load()
        values = {name: getattr(changed, name) for name in ExportSpec.__slots__}
        first = ExportSpec(**{**values, "address": Address(9, 1)})
        file.put_export(first)
        assert file.load() == Config(before.interfaces, (first, before.exports[1]))
        for comment in (
            "# Rack 4",
            "# what is scanned",
            '# "]" is',
            "# web01's",
            "# the rack",
            "# on the array",
            "# a spare",
            "# nothing",
        ):
            assert comment in text_of(file)


def test_a_person_s_file_is_read(file: ConfigFile) -> None:
    write(file, WRITTEN)
    first = spec(1, '/srv/web "01" [[export]].img', label="[[export]] # no header, no comment")
    assert file.load() == Config(("eth1",), (first, spec(2, "/srv/spare.img", interfaces=("eth*", "en#1"))))


@pytest.mark.parametrize(("text", "queues"), [("", 1), ("[engine]\n", 1), ("[engine]\nqueues = 16\n", 16)])
def test_queues_are_one_unless_the_file_says_so(file: ConfigFile, text: str, queues: int) -> None:
    write(file, text)
    assert file.load().queues == queues
    file.set_interfaces(["eth1"])
    assert file.load().queues == queues, "an edit keeps it"


def test_the_lines_of_a_person_s_file_are_found() -> None:
    layout = lay_out(WRITTEN)
    assert [section.line for section in layout.exports] == [9, 18]
    assert {name: key.line for name, key in layout.exports[0].keys.items()} == {
        "shelf": 10,
        "slot": 11,
        "path": 12,
        "interfaces": 13,
        "label": 14,
    }
    assert {name: key.line for name, key in layout.exports[1].keys.items()} == {
        "slot": 19,
        "shelf": 20,
        "interfaces": 21,
        "path": 22,
    }


def test_an_edit_touches_only_what_differs(file: ConfigFile) -> None:
    write(file, WRITTEN)
    file.put_export(spec(2, "/srv/other.img", interfaces=("eth*", "en#1"), read_only=True))
    expected = WRITTEN.replace('path = "/srv/spare.img"\n', 'path = "/srv/other.img"\nread_only = true\n')
    assert text_of(file) == expected
    file.put_export(spec(2, "/srv/other.img", interfaces=("eth*", "en#1")))
    assert text_of(file) == expected.replace("read_only = true", "read_only = false")


def test_a_comment_behind_a_changed_value_stays(file: ConfigFile) -> None:
    write(file, WRITTEN)
    file.set_interfaces(["eth2"])
    assert text_of(file).startswith('# Rack 4, kept by ops.\n\n[engine]   # what is scanned\ninterfaces = ["eth2"]\n\n# web01')
    file.put_export(spec(1, "/srv/x.img", label="l"))
    assert 'path = "/srv/x.img"   # on the array\n' in text_of(file)


def test_an_edit_that_changes_nothing_writes_nothing(file: ConfigFile) -> None:
    write(file, WRITTEN)
    before = path_of(file).stat()
    for each in file.load().exports:
        file.put_export(each)
        file.set_enabled(each.address, True)
    file.set_interfaces(["eth1"])
    assert path_of(file).stat() == before
    assert [each.name for each in path_of(file).parent.iterdir()] == ["config.toml"]


def test_a_removed_export_takes_its_own_comments_and_no_others(file: ConfigFile) -> None:
    write(file, WRITTEN)
    file.remove_export(Address(9, 1))
    start, end = WRITTEN.index("# web01"), WRITTEN.index("# a spare")
    assert text_of(file) == WRITTEN[:start] + WRITTEN[end:]
    file.remove_export(Address(9, 2))
    assert text_of(file) == WRITTEN[:start] + "# nothing more\n"


def test_the_head_of_a_file_is_no_export_s_comment(file: ConfigFile) -> None:
    write(file, "# Kept by ops.\n" + ONE)
    file.remove_export(Address(1, 1))
    assert text_of(file) == "# Kept by ops.\n"


def test_disabling_and_length_come_and_go(file: ConfigFile) -> None:
    file.put_export(spec(length=8))
    file.set_enabled(Address(9, 1), False)
    assert text_of(file).endswith("length = 8\nenabled = false\n")
    file.put_export(spec())
    assert text_of(file).endswith('interfaces = ["eth1"]\nenabled = true\n')


def test_a_last_line_without_an_end_and_windows_line_ends(file: ConfigFile) -> None:
    write(file, ONE.rstrip("\n"))
    file.put_export(spec(2))
    file.set_enabled(Address(1, 1), False)
    assert [each.enabled for each in file.load().exports] == [False, True]
    path_of(file).write_bytes(WRITTEN.replace("\n", "\r\n").encode())
    file.put_export(spec(1, "/srv/x.img", label="l"))
    assert b'path = "/srv/x.img"   # on the array\r\n' in path_of(file).read_bytes()


def test_groups_are_lists_of_macs_and_of_groups_above(file: ConfigFile) -> None:
    macs = [Mac.parse(f"52:54:00:a0:e0:0{number}") for number in (1, 2)]
    write(file, f"[acl]\n# rack 4\none = ['{macs[0]}']\nboth = ['one', '{str(macs[1]).upper()}']\n" + ONE + "accept = ['both']\n")
    loaded = file.load()
    assert loaded.groups == {"one": {macs[0]}, "both": set(macs)}
    assert loaded.exports[0].accept == ("both",)
    file.put_export(replace(loaded.exports[0], accept=("one", str(macs[1])), deny=("both",)))
    assert text_of(file).endswith(f'accept = ["one", "{macs[1]}"]\ndeny = ["both"]\n')
    with pytest.raises(ConfigError, match=r"not saved, since it would read: .*accept holds 'none'"):
        file.put_export(replace(loaded.exports[0], accept=("none",)))
    file.put_export(replace(loaded.exports[0], accept=()))
    assert "accept" not in text_of(file)
    assert "# rack 4" in text_of(file)


def test_no_file_is_an_empty_config_and_none_keeps_nothing(file: ConfigFile) -> None:
    assert file.load() == Config(None, ())
    nothing = ConfigFile(None)
    nothing.put_export(spec())
    assert nothing.load() == Config(None, ())


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\n[[export]\n", 2, "not TOML"),
        ("[engine]\ninterfaces = [", 2, "not TOML"),
        ("\nvlan = 3", 2, "unknown key 'vlan': the keys here are engine, acl, export"),
        ("[acl]\nx = 1", 2, "the group x must be a list of MACs and names, not 1"),
        ("[acl]\nx = []", 2, "the group x names nobody: name an initiator, or remove the line"),
        ("[acl]\nx = ['52:54']", 2, "the group x holds '52:54', which is no MAC, no group"),
        ("[acl]\nx = ['y']\ny = ['52:54:00:a0:e0:01']", 2, "the group x holds 'y', a group that does not stand above it"),
        ("[acl]\nx = ['x']", 2, "the group x holds 'x', a group that does not stand above it"),
        ("[acl]\n'52:54:00:a0:e0:01' = ['52:54:00:a0:e0:02']", 2, "would pass for a MAC: give the group another name"),
        ("[acl]\nx = ['ff:ff:ff:ff:ff:ff']", 2, "no frame can come from"),
        ("# one\n[acl.x]\ny = 1", 2, "the group x must be a list"),
        ("# one\nacl = 1", 2, r"write \[acl\]"),
        ("acl.x = []", 1, "the group x names nobody"),
        ("[engine]\n\ninterface = []", 3, "did you mean interfaces"),
        ("[engine]\ninterfaces = 'eth1'", 2, r"interfaces must be a list of names, not 'eth1': write \[\"eth1\"\]"),
        ("[engine]\n\nqueues = 0", 3, "queues must be 1 to 16, not 0: one for each core"),
        ("[engine]\nqueues = 17", 2, "queues must be 1 to 16, not 17"),
        ("[engine]\nqueues = '2'", 2, "queues must be a whole number, not '2': write it without quotes, as 2"),
        ("[engine]\ninterfaces = ['a b']", 2, "no interface is called"),
        ("[engine]\ninterfaces = ['enp0s31f6np0.1000']", 2, "'enp0s31f6np0.1000', but Linux names have at most 15 bytes: look"),
        ("[engine]\ninterfaces = ['äöüäöüäö']", 2, "at most 15 bytes"),
        ("engine = {}", 1, r"write \[engine\]"),
        ("\nexport = [{shelf = 1}]", 2, r"under a line \[\[export\]\]"),
        ("[export]\nshelf = 1", 1, r"under a line \[\[export\]\]"),
        ("# one\n[[export]]\nshelf = 1\n", 2, "lacks slot, path, interfaces"),
        (ONE + "uuid = 'x'", 6, "unknown key 'uuid'"),
        (ONE + "readonly = true", 6, "did you mean read_only"),
        (ONE + "[export.accept]\nx = 1", 6, "accept must be a list of MACs and names"),
        (ONE + "accept = []", 6, "accept names nobody: name an initiator, or remove the line"),
        (ONE + "deny = []", 6, "deny names nobody"),
        (ONE + "accept = '52:54:00:a0:e0:01'", 6, "accept must be a list"),
        (ONE + "accept = [' ']", 6, "accept must be a list"),
        (ONE + "accept = ['rack']", 6, "accept holds 'rack', which is no MAC, no group of .acl. and no host of /etc/ethers"),
        (ONE + "\ndeny = ['52:54:00:a0:e0:01', 'rack']\n[acl]\nracks = ['52:54:00:a0:e0:01']", 7, "deny holds 'rack'"),
        (ONE + "vlan = 4095", 6, "vlan 4095 is out of range"),
        (ONE + "vlan = '100'", 6, "vlan must be a whole number"),
        (ONE + "offset.x = 1", 6, "offset must be a whole number"),
        (ONE + "offset = true", 6, "offset must be a whole number, not True"),
        (ONE + "offset = 1.0", 6, "offset must be a whole number"),
        (ONE + "direct = 1", 6, "direct must be true or false, not 1"),
        (ONE + "label = 1", 6, "label must be text"),
        (ONE + 'label = "a\\u001b"', 6, "control character"),
        (ONE + "durability = 'sync'", 6, 'durability must be "cached" or "durable", not'),
        (ONE + "durability = 1", 6, "durability must be"),
        (ONE + "mask = ['52:54:00:a0:e0:01']", 6, "unknown key 'mask'"),
        (ONE + "serial = 'twenty-one-characters'", 6, "at most 20 ASCII"),
        (ONE + "\nbuffer_count = 1", 7, "buffer count 1 is out of range"),
        (ONE + "length = 0", 6, "length 0 is out of range"),
        (ONE + "offset = -1", 6, "offset -1 is out of range"),
        (ONE.replace("shelf = 1", "shelf = 65535"), 2, "shelf 65535 is out of range"),
        (ONE.replace("slot = 1", "slot = 255"), 3, "slot 255 is out of range"),
        (ONE.replace('"/a"', '"a"'), 4, "path must be absolute"),
        (ONE + "offset = '0'", 6, "offset must be a whole number, not '0': write it without quotes, as 0"),
        (ONE + "buffer_count = '16'", 6, "buffer_count must be a whole number, not '16': write it without quotes, as 16"),
        (ONE + "offset = 'x'", 6, "offset must be a whole number, not 'x': write it in digits alone"),
        (ONE.replace('"/a"', '"/a\\u0000b"'), 4, "path holds a NUL, which no path can: remove it"),
        (ONE.replace('"/a"', '"a\\u0000"'), 4, "path holds a NUL, which no path can: remove it"),
        (ONE.replace('["e"]', "[]"), 5, "interfaces names none: name at least one, as ..eth1.."),
        (ONE.replace('["e"]', "['0123456789abcdef']"), 5, "'0123456789abcdef', but Linux names have at most 15 bytes"),
        (ONE + "\n" + ONE.replace('"/a"', '"/b"'), 7, "e1.1 is at line 1 already"),
        (
            ONE + "\n" + ONE.replace("slot = 1", "slot = 2"),
            7,
            r"/a is exported for writing as e1\.1 \(line 1\) and again as e1\.2",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_line(file: ConfigFile, text: str, line: int, words: str) -> None:
    write(file, text)
    with pytest.raises(ConfigError, match=words) as caught:
        file.load()
    assert str(caught.value).startswith(f"{file.path}:{line}: ")
    with pytest.raises(ConfigError, match=words):
        file.put_export(spec(7, "/srv/other.img"))
    assert text_of(file) == text


def test_text_that_is_not_utf_8_is_named_with_its_line(file: ConfigFile) -> None:
    path_of(file).write_bytes(b"# one\n# \xff\n")
    with pytest.raises(ConfigError, match=r"config\.toml:2: this is not UTF-8"):
        file.load()


def test_a_byte_order_mark_is_passed_over_and_stays(file: ConfigFile) -> None:
    mark = b"\xef\xbb\xbf"
    path_of(file).write_bytes(mark + ONE.encode())
    file.set_enabled(Address(1, 1), False)
    assert path_of(file).read_bytes() == mark + ONE.encode() + b"enabled = false\n"
    assert path_of(file).with_name("config.toml.1").read_bytes() == mark + ONE.encode()
    file.remove_export(Address(1, 1))
    assert path_of(file).read_bytes() == mark
    file.set_interfaces(["eth1"])
    assert file.load() == Config(("eth1",), ())


def test_a_pattern_may_be_longer_than_a_name(file: ConfigFile) -> None:
    write(file, "[engine]\ninterfaces = ['en[opqrstuvwx][0123]*', 'fifteen-letters']")
    assert file.load().interfaces == ("en[opqrstuvwx][0123]*", "fifteen-letters")


@pytest.mark.parametrize("others", [{"read_only": True}, {"offset": 8}, {"enabled": False}])
def test_one_backing_twice_where_nothing_collides(file: ConfigFile, others: dict[str, object]) -> None:
    file.put_export(spec(1, length=8, read_only="read_only" in others))
    file.put_export(spec(2, "/srv/web01.img", **others))
    assert len(file.load().exports) == 2


def test_one_backing_under_two_names_is_one(file: ConfigFile, tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(512))
    (tmp_path / "hard").hardlink_to(tmp_path / "disk")
    (tmp_path / "soft").symlink_to(tmp_path / "disk")
    file.put_export(spec(1, str(tmp_path / "disk")))
    before = text_of(file)
    for name in ("hard", "soft"):
        with pytest.raises(ConfigError, match=r"not saved, since it would read: .*exported for writing as e9\.1"):
            file.put_export(spec(2, str(tmp_path / name)))
    assert text_of(file) == before


def test_an_export_that_is_not_there_is_an_error(file: ConfigFile) -> None:
    with pytest.raises(EngineError, match=r"has no export e9\.1"):
        file.set_enabled(Address(9, 1), True)
    with pytest.raises(EngineError, match=r"has no export e9\.1"):
        file.remove_export(Address(9, 1))
    with pytest.raises(UsageError, match="is relative"):
        file.put_export(spec(path="web01.img"))
    assert not path_of(file).exists()


def test_three_backups_are_kept_of_what_differed(file: ConfigFile) -> None:
    for number in range(6):
        file.set_interfaces([f"eth{number}"])
        file.set_interfaces([f"eth{number}"])
    folder = path_of(file).parent
    assert {each.name: each.read_text().split('"')[1] for each in folder.iterdir()} == {
        "config.toml": "eth5",
        "config.toml.1": "eth4",
        "config.toml.2": "eth3",
        "config.toml.3": "eth2",
    }


def test_mode_owner_and_symbolic_link_stay(file: ConfigFile, tmp_path: Path) -> None:
    real = tmp_path / "real" / "settings.toml"
    real.parent.mkdir()
    real.write_text(ONE)
    real.chmod(0o640)
    owner = (os.geteuid(), os.getegid())
    if os.geteuid() == 0:
        owner = (1234, 1235)
        os.chown(real, *owner)
    path_of(file).symlink_to(real)
    file.set_interfaces(["eth1"])
    status = real.stat()
    assert path_of(file).is_symlink()
    assert "eth1" in real.read_text()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o640, *owner)
    assert (real.parent / "settings.toml.1").stat().st_mode & 0o777 == 0o640


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "made" / "config.toml"
    ConfigFile(path).put_export(spec())
    assert path.parent.stat().st_mode & 0o777 == (0o755 if os.geteuid() == 0 else 0o700) & ~current_umask()
    assert path.stat().st_mode & 0o777 == 0o600


def current_umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def test_a_failure_before_the_rename_leaves_the_old_file(file: ConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    write(file, WRITTEN)

    def fail(self: Path, target: Path) -> Path:
        assert target == path_of(file) or self != target
        raise OSError(5, "Input/output error", str(target))

    monkeypatch.setattr(Path, "replace", fail)  # the only way to be stopped just before the rename
    with pytest.raises(ConfigError, match="Input/output error"):
        file.put_export(spec(3))
    assert text_of(file) == WRITTEN
    assert [each.name for each in path_of(file).parent.iterdir()] == ["config.toml"]


def test_the_new_text_is_whole_and_synced_before_it_has_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, steps = tmp_path / "file", []
    path.write_bytes(b"old")
    real_sync, real_replace = os.fsync, Path.replace

    def sync(descriptor: int) -> None:
        steps.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().parent == tmp_path}")
        real_sync(descriptor)

    def replace(self: Path, target: Path) -> Path:
        steps.append(f"{self.read_bytes()!r} for {target.read_bytes()!r}")
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)  # both do their work: only their order is noted
    monkeypatch.setattr(Path, "replace", replace)
    atomic.replace_file(path, b"new")
    assert steps == ["sync True", "b'new' for b'old'", "sync False"]
    assert path.read_bytes() == b"new"


def test_what_a_killed_edit_left_is_removed_by_the_next(file: ConfigFile) -> None:
    write(file, ONE)
    folder = path_of(file).parent
    for name in (".config.toml.0a1b2c3d.tmp", ".config.toml.1.0a1b2c3d.tmp"):
        (folder / name).write_text("half a")
    (folder / ".other.toml.0a1b2c3d.tmp").write_text("another's")
    file.set_interfaces(["eth1"])
    assert sorted(each.name for each in folder.iterdir()) == [".other.toml.0a1b2c3d.tmp", "config.toml", "config.toml.1"]


def test_edits_of_several_programs_are_all_kept(file: ConfigFile) -> None:
    script = (
        "import sys; from pathlib import Path; from aoetui.engine.config import ConfigFile\n"
        "from aoetui.engine.spec import ExportSpec; from aoetui.engine.protocol.address import Address\n"
        "for slot in range(int(sys.argv[2]), int(sys.argv[2]) + 10):\n"
        "    ConfigFile(Path(sys.argv[1])).put_export("
        "ExportSpec(address=Address(1, slot), path=Path(f'/{slot}'), interfaces=('eth1',)))"
    )
    words = [sys.executable, "-c", script, str(file.path)]
    with subprocess.Popen([*words, "0"]) as one, subprocess.Popen([*words, "100"]) as other:
        assert (one.wait(), other.wait()) == (0, 0)
    assert sorted(each.address.slot for each in file.load().exports) == [*range(10), *range(100, 110)]


def test_a_file_that_may_not_be_read_or_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="Is a directory"):
        ConfigFile(tmp_path / "config.toml").load()
    with pytest.raises((ConfigError, NoPermissionError), match="/proc"):
        ConfigFile(Path("/proc/aoetui/config.toml")).set_interfaces(["eth1"])
