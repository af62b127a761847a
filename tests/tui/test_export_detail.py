"""An opened export: its four parts on the keyboard alone, and what they say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console
from textual.widgets import Static

from aoetui.app import ConsoleApp
from aoetui.engine.protocol.address import Mac
from aoetui.engine.snapshot import Counters, Latency, Silence
from aoetui.engine.spec import Durability
from aoetui.widgets.durability import RISKS, mode_sentence, mode_word, short_mode
from aoetui.widgets.export_detail import ExportDetail
from aoetui.widgets.export_details import facts, writers_lines
from aoetui.widgets.export_latency import latency_part, octaves
from aoetui.widgets.export_settings import settings_part
from aoetui.widgets.export_users import asked_again, users_part
from aoetui.widgets.silences import MEANINGS, refusing_list
from tests.tui.fake_engine import BUSY, EXPORTS, MONOTONIC, NOW, QUICK, FakeEngine, export, initiator, latency, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.pilot import Pilot

    from aoetui.engine.snapshot import ExportSnapshot

WEB = EXPORTS[0]


def console(*exports: ExportSnapshot, read_only: bool = False) -> ConsoleApp:
    """The app with these exports, or the usual ones."""
    state = replace(BUSY, exports=exports) if exports else BUSY
    return ConsoleApp(FakeEngine(state), clock=lambda: MONOTONIC, read_only=read_only)


def part(app: ConsoleApp) -> str:
    """What the names of the parts say: the current one in brackets."""
    names = str(app.screen.query_one("#export-parts", Static).content)
    return names[names.index("[") + 1 : names.index("]")]


async def test_left_and_right_go_through_the_parts_and_escape_closes() -> None:
    app = console()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "enter")
        seen = [part(app)]
        for key in ("right", "l", "right_square_bracket", "right", "left", "h", "left_square_bracket"):
            await pilot.press(key)
            seen.append(part(app))
        assert seen == ["Overview", "Users", "Latency", "Settings", "Overview", "Settings", "Latency", "Users"]
        await pilot.press("escape", "enter")
        assert part(app) == "Overview"


async def test_a_click_goes_to_a_part() -> None:
    app = console()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "enter")
        await pilot.click("#export-parts", offset=(24, 0))
        await pilot.pause()
        assert part(app) == "Latency"


async def test_the_parts_belong_to_the_opened_export_only() -> None:
    app = console()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "right_square_bracket")
        assert not app.screen.query_one("#export-parts").display
        assert app.screen.query_one("#export-overview").display


@pytest.mark.parametrize("keys", [("right",), ("left",)], ids=["users", "settings"])
async def test_what_does_not_fit_is_reached_by_keys(keys: tuple[str, ...]) -> None:
    macs = tuple(Mac(bytes((2, 0, 0, 0, 0, number))) for number in range(200))
    users = tuple(initiator(str(mac), "eth1", last_io=3.0) for mac in macs)
    app = console(export("e9.1", "/srv/a.img", mask=macs, initiators=users))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "enter", *keys)
        await pilot.pause()
        detail = app.screen.query_one(ExportDetail)
        assert detail.max_scroll_y > 0
        assert detail.show_vertical_scrollbar
        await pilot.press("end")
        await pilot.pause()
        assert detail.is_vertical_scroll_end
        await pilot.press("right")
        assert detail.scroll_y == 0


@pytest.mark.parametrize(
    ("changes", "word", "short", "sentence"),
    [
        ({}, "cached", "cached", "cached: a power cut here can lose answered writes"),
        ({"durability": Durability.DURABLE}, "durable", "durable", "durable: slower; an answered write is on stable storage"),
        (
            {"direct": True},
            "direct",
            "direct",
            "direct: past the page cache; a power cut can lose what the disk's own cache holds",
        ),
        (
            {"direct": True, "durability": Durability.DURABLE},
            "direct+dur",
            "durable",
            "direct, durable: past the page cache; an answered write is on stable storage",
        ),
        ({"read_only": True}, "read-only", "ro", "read-only: writes are refused"),
    ],
)
def test_what_an_answered_write_is_worth(changes: dict[str, object], word: str, short: str, sentence: str) -> None:
    spec = replace(WEB.spec, **changes)  # type: ignore[arg-type] # parametrised
    assert (mode_word(spec), short_mode(spec), mode_sentence(spec)) == (word, short, sentence)


def test_every_mode_has_its_risk() -> None:
    assert set(RISKS) == {(durability, direct) for durability in Durability for direct in (False, True)}


def test_every_silence_has_its_words() -> None:
    assert set(MEANINGS) == set(Silence)
    assert [refusing_list(why) for why in (Silence.DENIED, Silence.NOT_ACCEPTED, Silence.MASKED)] == [
        "on the deny list",
        "not on the accept list",
        "not on the mask list",
    ]


@pytest.mark.parametrize(
    ("requests", "again", "words"),
    [
        (100_000, 0, "~0 again"),
        (100_000, 100, "~100 again, 1 in 1.00k: fine"),
        (100_000, 101, "~101 again, 1 in 990: too many"),
        (100_000, 999, "~999 again, 1 in 100: too many"),
        (100_000, 1000, "~1.00k again, 1 in 100: BAD"),
        (999, 500, "~500 again"),
    ],
)
def test_retransmissions_are_judged_by_what_linux_bears(requests: int, again: int, words: str) -> None:
    assert asked_again(Counters(reads=requests // 2, writes=requests - requests // 2, retransmits=again)).plain == words


def test_users_are_told_with_every_figure() -> None:
    shown = users_part(WEB, NOW).plain
    assert "52:54:00:a0:e0:01 * active 09:42   now   100k  30.0k   1.1 GB  0.22ms" in shown
    assert "on eth1: 3/64 under way, 0 dropped, 0 errors, ~90 again, 1 in 1.44k: fine" in shown
    assert "on eth2: 0/64 under way, 12 dropped, 2 errors, ~900 again, 1 in 27: BAD" in shown
    assert "52:54:00:bb:00:09 eth1           1.20k 09:52    3s  on the deny list" in shown
    assert "not on the accept list" in shown
    assert "1201 frames" in shown


def test_a_vlan_of_ours_is_named_with_its_interface() -> None:
    shown = users_part(replace(WEB, initiators=(initiator("52:54:00:a0:e0:01", "eth1 vlan 100", last_io=1.0),)), NOW).plain
    assert "on eth1 vlan 100: 0/64" in shown


def test_nobody_is_said_too() -> None:
    shown = users_part(export("e9.1", "/srv/a.img"), NOW).plain
    assert "Nobody has asked for it yet." in shown
    assert "Nobody was refused." in shown


def two_writers(first: str, second: str, **second_counts: int) -> ExportSnapshot:
    """Two MACs on these interfaces, the first of which writes."""
    users = (
        initiator("52:54:00:a0:e0:01", first, last_io=1.0, writes=5),
        initiator("52:54:00:a0:e0:02", second, last_io=1.0, **second_counts),
    )
    return export("e9.1", "/srv/a.img", initiators=users)


def test_two_writers_on_one_interface_are_a_warning() -> None:
    (line,) = writers_lines(two_writers("eth1", "eth1", writes=1))
    assert line.plain.startswith("! 2 MACs write to it: 52:54:00:a0:e0:01, 52:54:00:a0:e0:02.")
    assert "mask list (m) or reservation (r)" in line.plain
    assert line.plain in facts(two_writers("eth1", "eth1", writes=1), NOW).plain


def test_two_writers_on_interfaces_of_their_own_may_be_one_hosts_paths() -> None:
    (line,) = writers_lines(two_writers("eth1", "eth2", writes=1))
    assert line.plain == "i 2 MACs write to it, each by an interface of its own: well if they are one host's"


def test_one_writer_and_a_reader_are_well() -> None:
    assert list(writers_lines(two_writers("eth1", "eth1", reads=9))) == []


def test_who_may_not_use_it_stands_in_the_overview() -> None:
    listed = replace(WEB, mask=(Mac.parse("52:54:00:a0:e0:01"), Mac.parse("52:54:00:a0:e0:02")))
    shown = facts(listed, NOW).plain
    assert "reserved for 52:54:00:a0:e0:01: nobody else may read or write" in shown
    assert "mask list: only 2 MACs are answered" in shown
    assert "refused 1201 frames, the last 3s ago of 52:54:00:bb:00:09, on the deny list" in shown


def test_the_histogram_keeps_every_reply() -> None:
    assert octaves(QUICK) == {128: 700, 256: 290, 512: 9, 4096: 1}


def histogram(reads: Latency, writes: Latency, width: int = 77) -> list[str]:
    """The lines of it, with ASCII bars."""
    shown = export("e9.1", "/srv/a.img", latency=QUICK, read_latency=reads, write_latency=writes)
    return [line.rstrip() for line in latency_part(shown, width, ascii_only=True).plain.split("\n")]


def test_reads_stand_beside_writes_on_one_scale_without_a_gap() -> None:
    lines = histogram(latency({100: 3, 1000: 1}), latency({1000: 4}))
    assert lines == [
        "Last 10 s: 1.00k replies, half within 96us, 99 of 100 within 0.22ms",
        "",
        "Since it was opened, from arrival to reply:",
        f"{'':9} {'reads 4':<32} writes 4",
        f"{'':9} {'p50 0.11ms  p99 1.0ms':<32} p50 1.0ms  p99 1.0ms",
        f"to 0.13ms {'#' * 20} 75%",
        "to 0.26ms",
        "to 0.51ms",
        f" to 1.0ms {'#' * 6 + ' 25%':<32} {'#' * 26} 100%",
    ]


def test_one_slow_reply_of_many_is_seen() -> None:
    assert histogram(latency({100: 5000, 90_000: 1}), Latency())[-1] == " to 131ms | <.1%"


def test_the_histogram_fits_a_narrow_terminal() -> None:
    lines = histogram(latency({2: 1, 20_000_000: 1}), latency({100: 1}), width=57)
    assert max(map(len, lines[2:])) <= 57
    assert lines[-1].startswith(" to 33.6s")


def test_no_replies_are_said() -> None:
    shown = latency_part(
        export("e9.1", "/a", latency=Latency(), read_latency=Latency(), write_latency=Latency()), 77, ascii_only=True
    )
    assert shown.plain == "Last 10 s: no read or write.\n\nNothing was read or written since it was opened."


def settings(shown: ExportSnapshot, *, read_only: bool = False) -> str:
    """That part as text, 77 columns wide."""
    drawn = Console(width=77, color_system=None)
    with drawn.capture() as captured:
        drawn.print(settings_part(shown, NOW, read_only=read_only))
    return captured.get()


def test_settings_tell_state_policy_and_keys() -> None:
    spec = replace(WEB.spec, vlan=100, offset=2048, length=4096, serial="A1", buffer_count=16)
    shown = settings(replace(WEB, spec=spec, config_string=b"web\x00"))
    for words in (
        'config string "web\\x00", 4 bytes',
        "c edits",
        "empty: every initiator is answered",
        "m edits",
        "52:54:00:a0:e0:01, on eth1, reads or writes, seen now",
        "r edits",
        "VLAN          100, tagged by us",
        "from sector 2048, 4096 sectors on (2.1 MB)",
        "16 requests of one initiator",
        "accept        web, 52:54:00:a0:e0:03",
        "deny          lab",
    ):
        assert words in shown, shown


def test_settings_without_keys() -> None:
    assert "edits" not in settings(WEB, read_only=True)
    closed = settings(EXPORTS[2])
    assert "edits" not in closed
    assert "known once it is started" in closed


def opened(*keys: str) -> list[str]:
    """Keys to a part."""
    return ["2", "enter", *keys]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("keys", [("right",), ("right", "right"), ("left",)], ids=["users", "latency", "settings"])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], keys: tuple[str, ...]) -> None:
    """Every figure with its name; which key edits what."""
    assert snap_compare(console(), terminal_size=size, press=opened(*keys))


def test_two_writers_picture(snap_compare: Callable[..., bool]) -> None:
    """The warning stands before the figures, and in the list."""
    shown = replace(
        two_writers("eth1", "eth1", writes=3), refused=(refused("52:54:00:bb:00:09", "eth1", Silence.MASKED, 5, last=1),)
    )

    async def at_overview(pilot: Pilot[None]) -> None:
        await pilot.press("2")

    assert snap_compare(console(replace(shown, refused_frames=5)), terminal_size=(80, 24), run_before=at_overview)
