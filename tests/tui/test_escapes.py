"""Bytes that are edited as a line of text come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoetui.widgets.escapes import escaped, unescaped
from aoetui.widgets.plain import is_hidden


@given(st.one_of(st.binary(max_size=1024), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
def test_it_comes_back_and_nothing_in_between_acts_on_a_terminal(value: bytes) -> None:
    """Whatever initiators have set."""
    text = escaped(value)
    assert unescaped(text) == value
    assert not any(map(is_hidden, text))
    assert text == text.strip()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"web01", "web01"),
        ("Büro 磁".encode(), "Büro 磁"),
        (b"\x00\xff", r"\x00\xff"),
        (b"a\\b", r"a\\b"),
        (b"  a b ", r"\x20\x20a b\x20"),
        (b"   ", r"\x20\x20\x20"),
        ("e\u0301\u202e".encode(), r"e\xcc\x81\xe2\x80\xae"),
        ("a\u00a0b".encode(), r"a\xc2\xa0b"),
        (b"", ""),
    ],
)
def test_what_cannot_be_seen_is_written_out(value: bytes, text: str) -> None:
    """A blank at an end too."""
    assert escaped(value) == text


@pytest.mark.parametrize("text", ["\\", r"\n", r"\x4", r"\xzz", r"web\01"])
def test_a_backslash_that_means_nothing_is_refused(text: str) -> None:
    """It could be a path of another system, or a slip: no guess is kept for years."""
    with pytest.raises(ValueError, match="means nothing"):
        unescaped(text)
