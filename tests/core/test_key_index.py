from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunetui.core.key_index import KeyList

WORDS = st.text(max_size=4)


@given(st.lists(WORDS, unique=True, max_size=300), st.lists(WORDS, max_size=20))
def test_every_key_has_the_place_at_which_it_came(keys: list[str], others: list[str]) -> None:
    found = KeyList()
    assert [found.append(key) for key in keys] == list(range(len(keys)))
    assert list(found) == keys
    assert [found.get(key) for key in keys] == list(range(len(keys)))
    assert [key in found for key in others] == [key in keys for key in others]
    assert [found.get(key) for key in others] == [keys.index(key) if key in keys else None for key in others]


def test_there_is_no_key_beyond_the_last() -> None:
    keys = KeyList()
    keys.append("a")
    with pytest.raises(IndexError):
        keys[1]
    with pytest.raises(IndexError):
        keys[-1]


def test_many_keys_take_tens_of_bytes_each() -> None:
    tracemalloc.start()
    keys = KeyList()
    for number in range(5000):
        keys.append(f"{number:016x}")
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken / len(keys) < 60


def test_room_made_before_changes_nothing_but_that_it_is_there() -> None:
    keys = [f"configuration {number}" for number in range(3000)]
    plain, roomy = KeyList(), KeyList()
    roomy.reserve(len(keys))
    for key in keys:
        assert plain.append(key) == roomy.append(key)
    roomy.reserve(10**9)  # there are some: nothing is made
    assert [roomy.get(key) for key in [*keys, "none"]] == [plain.get(key) for key in [*keys, "none"]]
    assert list(roomy) == keys
