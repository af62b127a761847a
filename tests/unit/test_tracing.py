"""What is kept of a trace, and what is found when someone looks at it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.engine.api import EngineError, UsageError
from aoetui.engine.commands.trace import Mark, SaveTrace
from aoetui.engine.protocol.captured import Direction
from aoetui.engine.protocol.pcap import PcapWriter, file_bytes
from aoetui.engine.tracing import looking
from aoetui.engine.tracing.analysis import CONTEXT
from aoetui.engine.tracing.files import load, save
from aoetui.engine.tracing.looking import Recording
from aoetui.engine.tracing.store import Store
from tests.unit.protocol import golden
from tests.unit.protocol.captures import CAPTURED, MS, SECOND, START, captured, tagged

if TYPE_CHECKING:
    from aoetui.engine.commands.trace import TracePage
    from aoetui.engine.protocol.captured import Captured


@pytest.fixture(autouse=True)
def _no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else wants the interpreter here."""
    monkeypatch.setattr(looking, "_REST", 0)


def conversation(exchanges: int, *, first: int = 1, every: int = MS) -> list[Captured]:
    """Reads with their answers half of `every` ns later, each of a sector of its own."""
    frames = []
    for tag in range(first, first + exchanges):
        at = START + tag * every
        request = tagged(golden.READ_48[:28] + tag.to_bytes(6, "little") + golden.READ_48[34:], tag)
        frames.append(captured(request, at))
        frames.append(captured(tagged(golden.READ_28_REPLY, tag)[:104], at + every // 2, length=1060, direction=Direction.OUT))
    return frames


def recorded(frames: list[Captured]) -> Recording:
    """A recording of these."""
    recording = Recording()
    recording.store.add_frames(frames)
    return recording


def numbers(page: TracePage) -> list[int]:
    """Of the lines."""
    return [line.number for line in page.lines]


# ---- the store


@given(st.lists(st.lists(CAPTURED, max_size=5), max_size=8))
def test_frames_come_back_as_they_were_kept(batches: list[list[Captured]]) -> None:
    store = Store()
    for batch in batches:
        store.add_frames(batch)
    frames = [each for batch in batches for each in batch]
    assert (store.oldest, store.newest) == (1, len(frames))
    assert [chunk.frame(number) for number, chunk in store.walk(1, store.newest)] == frames
    assert [store.frame(number) for number in range(1, len(frames) + 1)] == frames


def test_the_oldest_make_room_and_numbers_go_on() -> None:
    store = Store(limit=20_000)
    for at in range(3000):
        store.add_frames([captured(golden.READ_28, START + at)])
    assert store.newest == 3000
    assert 2900 < store.oldest < 3000
    assert store.bytes <= 20_000
    assert store.frame(store.oldest - 1) is None
    assert store.frame(3001) is None
    assert [number for number, _ in store.walk(1, 9999)] == list(range(store.oldest, 3001))
    oldest = store.frame(store.oldest)
    assert oldest is not None
    assert oldest.time_ns == START + store.oldest - 1


def test_what_is_larger_than_all_that_may_be_kept_is_kept_alone() -> None:
    store = Store(limit=100)
    for _ in range(2):
        store.add_frames([captured(golden.WRITE_48)])
    assert (store.oldest, store.newest) == (2, 2)


# ---- pages


def test_the_newest_lines_and_those_from_a_rank_on() -> None:
    recording = recorded(conversation(50))
    page = recording.page("", None, 4)
    assert (numbers(page), page.oldest, page.newest) == ([97, 98, 99, 100], 1, 100)
    assert [line.rank for line in page.lines] == [97, 98, 99, 100]
    assert numbers(recording.page("", 3, 2)) == [3, 4]
    assert numbers(recording.page("", 99, 10)) == [99, 100]
    assert numbers(recording.page("", 101, 10)) == []
    assert numbers(recording.page("", -5, 1)) == [1]
    empty = Recording().page("", None, 10)
    assert (empty.lines, empty.oldest, empty.newest) == ((), 1, 0)


def test_a_line_says_everything() -> None:
    request, answer = recorded(conversation(1)).page("", None, 2).lines
    assert (request.what, answer.what) == ("READ 2 at 0x1", "READ 2 at 0x1: ok")
    assert (request.peer, answer.peer) == (2, 1)
    assert request.waited_us == answer.waited_us == 500
    assert (answer.length, answer.kept, answer.address, answer.tag) == (1060, 104, "e9.1", 1)
    assert (str(answer.source), str(answer.destination)) == (str(golden.TARGET), str(golden.INITIATOR))
    assert answer.direction is Direction.OUT


def test_answers_are_found_far_from_the_lines_that_are_looked_at() -> None:
    frames = conversation(3 * CONTEXT)
    late = frames.pop(1)
    frames.insert(CONTEXT - 1, late)
    recording = recorded(frames)
    assert recording.page("", 1, 1).lines[0].peer == CONTEXT
    assert recording.page("", 4 * CONTEXT, 1).lines[0].peer == 4 * CONTEXT - 1
    assert recording.page("", 2, 1).lines[0].peer == 3, "looked at from the middle to the start"


def test_the_newest_request_gets_its_answer_once_it_is_there() -> None:
    frames = conversation(2)
    recording = recorded(frames[:3])
    assert recording.page("", None, 1).lines[0].peer is None
    recording.store.add_frames(frames[3:])
    assert recording.page("", 3, 1).lines[0].peer == 4


def test_unanswered_is_told_after_a_second_and_taken_back() -> None:
    request, answer = conversation(1, every=3 * SECOND)
    recording = recorded([request])
    assert recording.page("", None, 1).lines[0].marks == ()
    recording.analysis.until(request.time_ns + SECOND)
    assert recording.page("", None, 1).lines[0].marks == (Mark.UNANSWERED,)
    recording.store.add_frames([answer])
    first, second = recording.page("", None, 2).lines
    assert (first.marks, second.marks) == ((), (Mark.LATE,))


def test_a_request_whose_answer_was_dropped_is_unanswered() -> None:
    frames = conversation(1500)
    del frames[1]
    recording = recorded(frames)
    for first in (1, 1000, 2000):
        recording.page("", first, 1)
    assert recording.page("", 1, 1).lines[0].marks == (Mark.UNANSWERED,)
    assert recording.page("", 2, 1).lines[0].marks == ()


# ---- filters


def test_a_filter_has_ranks_of_its_own() -> None:
    recording = recorded(conversation(50))
    page = recording.page("answer", 10, 2)
    assert ([line.rank for line in page.lines], numbers(page)) == ([10, 11], [20, 22])
    assert (page.oldest, page.newest, page.searching, page.missed) == (1, 50, False, 0)
    assert numbers(recording.page("answer", None, 2)) == [98, 100]
    recording.store.add_frames(conversation(1, first=51))
    assert recording.page("answer", None, 1).newest == 51


def test_an_answer_is_found_by_what_was_asked() -> None:
    recording = recorded(conversation(3))
    assert numbers(recording.page("read answer", None, 9)) == [2, 4, 6]
    assert numbers(recording.page("slow>499us", None, 9)) == [2, 4, 6]
    assert numbers(recording.page("slow>501us", None, 9)) == []


def test_a_search_is_done_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "BUDGET", 40)
    recording = recorded(conversation(50))
    found = [recording.page("out", None, 1) for _ in range(3)]
    assert [(page.newest, page.searching) for page in found] == [(20, True), (40, True), (50, False)]


def test_what_went_before_the_search_came_to_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "BUDGET", 10)
    recording = Recording(limit=100_000)
    recording.store.add_frames(conversation(200))
    assert recording.page("out", None, 1).newest == 5
    for at in range(5):
        recording.store.add_frames(conversation(200, first=201 + 200 * at))
    page = recording.page("out", None, 100)
    assert page.missed == recording.store.oldest - 1 - 10
    assert all(number >= recording.store.oldest for number in numbers(page))
    assert page.oldest == 6, "the five that were found first are gone"


def test_frames_that_were_gone_before_the_search_began_are_not_missed() -> None:
    recording = Recording(limit=50_000)
    for at in range(5):
        recording.store.add_frames(conversation(200, first=1 + 200 * at))
    assert recording.store.oldest > 1
    assert recording.page("out", None, 1).missed == 0


def test_unanswered_ones_are_searched_a_second_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "BUDGET", 10_000)
    frames = conversation(5000)
    del frames[1]
    recording = recorded(frames)
    page = recording.page("unanswered", None, 9)
    assert (numbers(page), page.searching) == ([1], False)
    assert numbers(recording.page("!unanswered", 1, 2)) == [2, 3]
    assert recording.page("!unanswered request", None, 1).newest == 3999, "the last second cannot be judged yet"


def test_a_wrong_word_is_told() -> None:
    with pytest.raises(UsageError, match="'boom' is no word"):
        recorded(conversation(1)).page("boom", None, 1)


# ---- one frame, and files


def test_one_frame_in_full() -> None:
    recording = recorded(conversation(2))
    detail = recording.detail(2)
    assert (detail.line.number, len(detail.frame)) == (2, 104)
    assert ("ATA", "answers", "READ 2 at 0x1") in [(each.section, each.name, each.value) for each in detail.fields]
    with pytest.raises(EngineError, match="frame 9 is kept no more"):
        recording.detail(9)


@pytest.mark.parametrize("name", ["trace.pcap", "trace.pcapng"])
def test_saved_and_opened(tmp_path: Path, name: str) -> None:
    frames = conversation(2000)
    saved = save(recorded(frames), SaveTrace(tmp_path / name))
    assert (saved.frames, saved.cut) == (4000, 2000)
    recording, opened = load(tmp_path / name)
    assert (opened.frames, opened.others, opened.complete, opened.problem) == (4000, 0, True, "")
    found = [chunk.frame(number) for number, chunk in recording.store.walk(1, 4000)]
    if name.endswith("ng"):
        assert found == frames
    else:
        assert found == [replace(each, interface="", direction=Direction.UNKNOWN) for each in frames]


def test_only_what_passes_the_filter_is_saved(tmp_path: Path) -> None:
    saved = save(recorded(conversation(700)), SaveTrace(tmp_path / "a.pcap", "read answer"))
    assert saved.frames == 700


def test_a_file_that_is_there_is_not_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"mine")
    with pytest.raises(EngineError, match="exists: choose another name"):
        save(recorded(conversation(1)), SaveTrace(path))
    with pytest.raises(UsageError, match="is no word"):
        save(recorded(conversation(1)), SaveTrace(path, "boom", overwrite=True))
    assert path.read_bytes() == b"mine"
    save(recorded(conversation(1)), SaveTrace(path, overwrite=True))
    assert load(path)[1].frames == 2


def test_what_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be written: No such file or directory"):
        save(recorded(conversation(1)), SaveTrace(tmp_path / "none" / "a.pcap"))
    with pytest.raises(EngineError, match="is a folder: name a file"):
        save(recorded(conversation(1)), SaveTrace(tmp_path))
    with pytest.raises(EngineError, match="cannot be read: No such file or directory"):
        load(tmp_path / "none.pcap")
    (tmp_path / "text").write_text("This is no capture.")
    with pytest.raises(UsageError, match="is neither a pcap nor a pcapng file"):
        load(tmp_path / "text")


def test_a_file_is_opened_as_far_as_it_is_good_and_fits(tmp_path: Path) -> None:
    frames = conversation(3000)
    frames.insert(5, captured(golden.READ_28[:12] + b"\x08\x00" + bytes(46)))
    whole = b"".join(file_bytes(frames, PcapWriter()))
    path = tmp_path / "a.pcap"
    path.write_bytes(whole[:-3])
    opened = load(path)[1]
    assert (opened.frames, opened.others, opened.complete) == (5999, 1, True)
    assert opened.problem == f"{path} ends within frame 6001"
    path.write_bytes(whole)
    recording, opened = load(path, limit=200_000)
    assert (opened.complete, opened.problem) == (False, "")
    assert opened.frames == recording.store.newest < 6000
    assert recording.store.oldest == 1


def test_times_of_a_file_are_looked_at_by_its_own_clock(tmp_path: Path) -> None:
    path = Path(tmp_path / "a.pcap")
    path.write_bytes(b"".join(file_bytes(conversation(2), PcapWriter())))
    assert [line.time_ns for line in load(path)[0].page("", None, 1).lines] == [START + 2 * MS + MS // 2]
