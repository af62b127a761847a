"""The form that serves a disk, on the keyboard alone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.widgets import Button, Input, Static

from aoetui.app import ConsoleApp
from aoetui.engine.api import AddExport, BackingReport, CheckAddress, EngineError, InspectBacking, ListBlockDevices
from aoetui.engine.protocol.address import Address
from aoetui.engine.spec import Durability, ExportSpec, NewFile
from aoetui.screens import export_form
from aoetui.screens.confirm import Confirm
from aoetui.screens.export_form import ExportForm
from aoetui.screens.exports import ExportsScreen
from aoetui.widgets.fields import Choice, LinkList, Mark, Message
from aoetui.widgets.table import LiveTable
from tests.tui.fake_engine import BUSY, GB, MONOTONIC, FakeEngine, export, link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.pilot import Pilot

    from aoetui.engine.snapshot import ExportSnapshot

DISKS = (
    BackingReport(Path("/dev/sda"), True, True, 500 * GB, "Samsung [/SSD]", "/dev/sda is mounted at /: end that use first", ""),
    BackingReport(Path("/dev/sdb"), True, True, 1000 * GB, "WDC WD10EZEX", "", ""),
)
CONFLICT = "e9.1 is answered by 52:54:00:00:09:01 on eth1"


def inspect(command: InspectBacking) -> BackingReport:
    """Disks are what they are, /srv/old.img is a file, all else does not exist."""
    known = {disk.path: disk for disk in DISKS}
    if command.path in known:
        return known[command.path]
    if command.path == Path("/srv/old.img"):
        return BackingReport(command.path, True, False, 8 * GB, "", "", "")
    return BackingReport(command.path, False, False, 0, "", f"{command.path} does not exist", "")


def add(command: AddExport) -> ExportSnapshot:
    """Refuse e9.1 unless forced."""
    if command.spec.address == Address(9, 1) and not command.force:
        raise EngineError(f"{CONFLICT}: choose another address", field="address")
    return export(str(command.spec.address), str(command.spec.path), spec=command.spec)


def check(command: CheckAddress) -> tuple[str, ...]:
    """Someone else answers e9.1."""
    return (CONFLICT,) if command.address == Address(9, 1) else ()


def engine(**answers: object) -> FakeEngine:
    """One whose disks and addresses are those above."""
    made = FakeEngine()
    made.answers = {ListBlockDevices: DISKS, InspectBacking: inspect, CheckAddress: check, AddExport: add}
    made.answers |= {AddExport: answers["add"]} if "add" in answers else {}
    return made


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is looked at at once."""
    monkeypatch.setattr(export_form, "PAUSE", 0.0)


@asynccontextmanager
async def opened(made: FakeEngine) -> AsyncIterator[tuple[ConsoleApp, Pilot[None], ExportForm]]:
    """The form on Exports, opened by its key."""
    app = ConsoleApp(made, clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "n")
        await settle(pilot)
        form = app.screen
        assert isinstance(form, ExportForm)
        yield app, pilot, form


async def settle(pilot: Pilot[None]) -> None:
    """Until nothing is under way."""
    await pilot.pause()
    held = getattr(pilot.app, "engine").held  # noqa: B009 - Pilot knows only that it is an App
    if not held:
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def write(pilot: Pilot[None], text: str) -> None:
    """Paste over what stands in the field: a picture for each letter costs most of a test's time."""
    await pilot.press("home", "shift+end", "delete")
    assert pilot.app.focused is not None
    pilot.app.focused.post_message(events.Paste(text))
    await settle(pilot)


def said(form: ExportForm, field: str) -> str:
    """The message beside a field."""
    return form.query_one(f"#message-{field}", Message).text


async def test_keys_alone_serve_a_new_file_on_what_was_chosen() -> None:
    made = engine()
    async with opened(made) as (app, pilot, form):
        assert form.query_one("#path", Input).has_focus
        await write(pilot, "/srv/new.img")
        await pilot.press("tab")
        await write(pilot, "10G")
        assert "will be made: 10.7 GB sparse file" in said(form, "size")
        await pilot.press("tab", "space", "tab")  # not sparse
        await write(pilot, "e30.4")
        assert said(form, "address") == "free on eth1, eth2"
        await pilot.press("tab", "down", "space", "tab", "space", "tab", "down", "space")  # not eth2, read-only, durable
        await settle(pilot)
        assert "(10.7 GB, new, allocated) as e30.4 on eth1 (MTU 9000, 17 sectors a frame), read-only, durable" in str(
            form.query_one("#summary", Static).content
        )
        await pilot.press("ctrl+s")
        await settle(pilot)
        spec = ExportSpec(
            address=Address(30, 4),
            path=Path("/srv/new.img"),
            interfaces=("eth1",),
            read_only=True,
            durability=Durability.DURABLE,
        )
        assert made.asked(AddExport) == [AddExport(spec, NewFile(10 * 2**30, sparse=False))]
        assert isinstance(app.screen, ExportsScreen)


async def test_keys_that_arrive_in_one_bunch_go_where_they_would_one_by_one() -> None:
    """As over a slow link: nothing waits for the console between two keys."""
    made = engine()
    app = ConsoleApp(made, clock=lambda: MONOTONIC)
    async with app.run_test(size=(80, 24)) as pilot:
        names = {"/": "slash", ".": "full_stop"}
        keys = ["2", "n", *"/srv/new.img", "tab", *"64M", "tab", "space", "shift+tab", "enter", "tab"]
        for key in [*keys, "home", "shift+end", "delete", *"e30.4", "ctrl+s"]:
            name = names.get(key, key)
            app.post_message(events.Key(name, key if len(key) == 1 else " " if key == "space" else None))
        await settle(pilot)
        await settle(pilot)
        spec = ExportSpec(address=Address(30, 4), path=Path("/srv/new.img"), interfaces=("eth1", "eth2"))
        assert made.asked(AddExport) == [AddExport(spec, NewFile(64 * 2**20, sparse=False))]


async def test_marks_are_told_without_colour() -> None:
    made = engine()
    async with opened(made) as (_, pilot, form):
        links = form.query_one(LinkList)
        lines = [links.render_line(y).text.rstrip() for y in range(3)]
        assert [line[:7] for line in lines] == ["[x] eth", "[x] eth", "[ ] br0"]
        assert form.query_one("#read-only", Mark).render().plain.startswith("[ ] read-only")
        assert form.query_one("#cached", Choice).render().plain.startswith("(*) cached")
        assert form.query_one("#durable", Choice).render().plain.startswith("( ) durable")
        form.set_focus(form.query_one("#read-only"))
        await pilot.press("space", "tab", "down", "space")
        assert form.query_one("#read-only", Mark).render().plain.startswith("[x] read-only")
        assert form.query_one("#cached", Choice).render().plain.startswith("( ) cached")


async def test_the_advanced_fields_are_out_of_the_way_until_they_are_asked_for() -> None:
    made = engine()
    async with opened(made) as (_, pilot, form):
        await write(pilot, "/srv/old.img")
        assert not form.query_one("#field-vlan").display
        form.set_focus(form.query_one("#direct"))
        await pilot.press("space", "tab", "space", "tab")
        await settle(pilot)
        for text in ("100", "web, 52:54:00:a0:e0:03", "lab", "2048", "4096", "16", "A1"):
            await write(pilot, text)
            await pilot.press("tab")
        assert said(form, "address") == "free on eth1, eth2, VLAN 100"
        assert str(form.query_one("#summary", Static).content).endswith(
            "read-write, direct, VLAN 100, from sector 2048, 4096 sectors, 16 buffers, accepts only web 52:54:00:a0:e0:03,"
            " denies lab, serial A1."
        )
        await pilot.press("ctrl+s")
        await settle(pilot)
        spec = ExportSpec(
            address=Address(20, 3),
            path=Path("/srv/old.img"),
            interfaces=("eth1", "eth2"),
            direct=True,
            vlan=100,
            accept=("web", "52:54:00:a0:e0:03"),
            deny=("lab",),
            offset=2048,
            length=4096,
            buffer_count=16,
            serial="A1",
        )
        assert made.asked(AddExport) == [AddExport(spec)]
        assert CheckAddress(Address(20, 3), ("eth1", "eth2"), 100) in made.asked(CheckAddress)


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("vlan", "4095", "vlan 4095 is out of range: choose 1 to 4094"),
        ("vlan", "one", "'one' is not a number"),
        ("buffer_count", "1", "buffer count 1 is out of range"),
        ("offset", "-1", "'-1' is not a number"),
        ("length", "0", "length 0 is out of range"),
        ("accept", ",", "the list names nobody"),
    ],
)
async def test_a_wrong_advanced_field_opens_them_and_says_so_beside_it(field: str, text: str, sentence: str) -> None:
    made = engine()
    async with opened(made) as (app, pilot, form):
        await write(pilot, "/srv/old.img")
        form.query_one(f"#{field}", Input).value = text
        await settle(pilot)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert said(form, field).startswith(sentence)
        assert form.query_one(f"#{field}").has_focus
        assert form.query_one(f"#field-{field}").display
        assert app.screen is form
        assert made.asked(AddExport) == []


async def test_an_interface_of_a_name_that_no_config_takes_is_refused_beside_the_interfaces() -> None:
    made = engine()
    made.current = replace(BUSY, links=(link("eth\x85one", 3, "52:54:00:aa:00:01"),), interfaces=("eth\x85one",))
    async with opened(made) as (_, pilot, form):
        await write(pilot, "/srv/old.img")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert "is no interface" in said(form, "interfaces")


async def test_an_export_that_is_served_behind_a_question_closes_the_form_after_it() -> None:
    made = engine()
    made.held = {AddExport}
    async with opened(made) as (app, pilot, form):
        await write(pilot, "/srv/old.img")
        await pilot.press("ctrl+s", "ctrl+q")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        made.waiting[0].set_result(export("e20.3", "/srv/old.img"))
        await settle(pilot)
        assert isinstance(app.screen, Confirm)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, ExportsScreen)
        assert not form.is_attached


async def test_an_answer_for_a_form_that_has_gone_is_let_go() -> None:
    made = engine()
    made.held = {CheckAddress, ListBlockDevices}
    async with opened(made) as (app, pilot, _form):
        await pilot.press("escape")
        for waiting in made.waiting:
            waiting.set_result(())
        await settle(pilot)
        assert isinstance(app.screen, ExportsScreen)


async def test_a_disk_is_picked_from_the_list_and_shown_selected_once_served() -> None:
    made = engine()

    def added(command: AddExport) -> ExportSnapshot:
        new = add(command)
        made.current = replace(BUSY, exports=(*BUSY.exports, new))
        return new

    made.answers[AddExport] = added
    async with opened(made) as (app, pilot, form):
        await pilot.press("down", "enter")
        await settle(pilot)
        assert form.query_one("#path", Input).value == "/dev/sdb"
        assert not form.query_one("#field-size").display
        await pilot.press("ctrl+s")
        await settle(pilot)
        (asked,) = made.asked(AddExport)
        assert isinstance(asked, AddExport)
        assert asked.new_file is None
        assert str(asked.spec.address) == "e20.3"  # the next free one beside those we serve
        assert app.screen.query_one(LiveTable).current_key == "e20.3"
        assert [toast.message for toast in app._notifications] == ["e20.3 is served on eth1, eth2."]


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("65535.0", "shelf 65535 is out of range: choose 0 to 65534 (65535 means every shelf)"),
        ("9.255", "slot 255 is out of range: choose 0 to 254 (255 means every slot)"),
        ("nine", "'nine' is not an address: write shelf.slot, as e9.1"),
        ("20.0", "e20.0 is your own export of /srv/aoe/web01.img: choose another address"),
    ],
)
async def test_a_wrong_address_has_its_sentence(address: str, sentence: str) -> None:
    made = engine()
    async with opened(made) as (_, pilot, form):
        await write(pilot, "/srv/old.img")
        form.query_one("#address").focus()
        await write(pilot, address)
        assert said(form, "address") == sentence


@pytest.mark.parametrize(
    ("path", "size", "address", "field", "sentence"),
    [
        ("", "", "30.0", "path", "no backing is chosen"),
        ("srv/a.img", "", "30.0", "path", "srv/a.img is not a whole path: write it from /"),
        ("/dev/sda", "", "30.0", "path", "/dev/sda is mounted at /"),
        ("/srv/new.img", "", "30.0", "size", "a new file needs a size"),
        (
            "/srv/new.img",
            "1000",
            "30.0",
            "size",
            "size 1000 is not a whole number of 512-byte sectors: the next that is one is 1024",
        ),
        ("/srv/old.img", "", "65535.0", "address", "shelf 65535 is out of range"),
        ("/srv/old.img", "", "9.255", "address", "slot 255 is out of range"),
    ],
)
async def test_what_is_known_wrong_is_said_beside_its_field_and_not_submitted(
    path: str, size: str, address: str, field: str, sentence: str
) -> None:
    made = engine()
    async with opened(made) as (app, pilot, form):
        await write(pilot, path)
        if size:
            await pilot.press("tab")
            await write(pilot, size)
        form.query_one("#address").focus()
        await write(pilot, address)
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert said(form, field).startswith(sentence)
        assert form.query_one(f"#{field}").has_focus
        assert made.asked(AddExport) == []
        assert app.screen is form


async def test_no_interface_is_said_beside_the_interfaces() -> None:
    made = engine()
    made.current = replace(BUSY, interfaces=())
    async with opened(made) as (_, pilot, form):
        assert form.query_one(LinkList).selected == []
        await write(pilot, "/srv/old.img")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert said(form, "interfaces") == "no interface is chosen: mark at least one with space"
        assert made.asked(AddExport) == []


async def test_the_default_routes_link_is_never_preselected() -> None:
    made = engine()
    made.current = replace(BUSY, interfaces=("eth0", "eth1"))
    async with opened(made) as (_, _pilot, form):
        assert form.query_one(LinkList).selected == ["eth1"]


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("path", "path"),
        ("size", "size"),
        ("interfaces", "interfaces"),
        ("accept", "accept"),
        ("direct", "direct"),
        ("mask", "form"),
        ("", "form"),
    ],
)
async def test_a_refusal_stands_beside_its_field_and_the_form_stays(field: str, shown: str) -> None:
    made = engine(add=EngineError("[/no] that cannot be: do this", field=field))
    async with opened(made) as (app, pilot, form):
        await write(pilot, "/srv/old.img")
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert said(form, shown) == "[/no] that cannot be: do this"
        assert app.screen is form
        assert form.query_one("#path", Input).value == "/srv/old.img"
        assert not form.query_one("#serve", Button).disabled


async def test_a_conflict_is_served_only_after_a_second_yes() -> None:
    made = engine()
    async with opened(made) as (app, pilot, form):
        await write(pilot, "/srv/old.img")
        form.query_one("#address").focus()
        await write(pilot, "e9.1")
        assert said(form, "address") == CONFLICT
        assert not form.query_one("#serve-anyway").display
        await pilot.press("ctrl+s")
        await settle(pilot)
        assert form.query_one("#serve-anyway").display
        form.query_one("#serve-anyway").focus()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")  # Cancel has the focus
        await settle(pilot)
        assert [asked.force for asked in made.asked(AddExport) if isinstance(asked, AddExport)] == [False]
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("right", "enter")
        await settle(pilot)
        assert [asked.force for asked in made.asked(AddExport) if isinstance(asked, AddExport)] == [False, True]
        assert isinstance(app.screen, ExportsScreen)


async def test_another_address_takes_the_second_way_away() -> None:
    made = engine()
    async with opened(made) as (_, pilot, form):
        await write(pilot, "/srv/old.img")
        form.query_one("#address").focus()
        await write(pilot, "e9.1")
        await pilot.press("ctrl+s")
        await settle(pilot)
        await write(pilot, "e9.3")
        assert not form.query_one("#serve-anyway").display


async def test_it_is_submitted_once_however_often_it_is_asked() -> None:
    made = engine()
    made.held = {AddExport}
    async with opened(made) as (app, pilot, form):
        await write(pilot, "/srv/old.img")
        await pilot.press("ctrl+s", "ctrl+s", "escape", "ctrl+s")
        await pilot.pause()
        assert str(form.query_one("#serve", Button).label) == "Serving..."
        assert len(made.asked(AddExport)) == 1
        assert app.screen is form
        made.waiting[0].set_exception(EngineError("the disk went away: try again"))
        await settle(pilot)
        assert str(form.query_one("#serve", Button).label) == "Serve"
        assert said(form, "form") == "the disk went away: try again"


async def test_escape_leaves_without_a_trace() -> None:
    made = engine()
    async with opened(made) as (app, pilot, _form):
        await write(pilot, "/srv/new.img")
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(app.screen, ExportsScreen)
        assert made.asked(AddExport) == []


async def test_shelf_4095_is_warned_of() -> None:
    made = engine()
    async with opened(made) as (_, pilot, form):
        form.query_one("#address").focus()
        await write(pilot, "4095.0")
        assert "Linux refuses shelf 4095" in said(form, "address")


def picture(*keys: str) -> Callable[[Pilot[None]], object]:
    """Open the form and press keys, each once the one before has had its effect."""

    async def run(pilot: Pilot[None]) -> None:
        await pilot.press("2", "n")
        await settle(pilot)
        for field in pilot.app.screen.query(Input):
            field.cursor_blink = False
        for key in keys:
            await pilot.press(key)
        await settle(pilot)

    return run


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("state", ["empty", "new-file", "advanced"])
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], state: str) -> None:
    """Fields, candidates, what is said beside them, and the outcome, all in view."""
    typed = [{"/": "slash", ".": "full_stop"}.get(each, each) for each in "/srv/new.img"]
    more = ["tab"] * 8 + ["space", "tab", "1", "0", "0", *["tab"] * 6]
    keys = {"empty": [], "new-file": [*typed, "tab", "1", "0", "G"], "advanced": more}[state]
    app = ConsoleApp(engine(), clock=lambda: MONOTONIC)
    assert snap_compare(app, terminal_size=size, run_before=picture(*keys))
