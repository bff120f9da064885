"""Paths to one place in a JSON value: what is a path, and where it leads."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.json_paths import NotAPath, problem_with, steps_of, values_at

ORDER: dict[str, Any] = {"items": [{"unit price": 5}, {"unit price": 7}], "größe": None, "it's": 1, 'a"b': 2, "0": 3}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", (ORDER,)),
        ("$.items[0]['unit price']", (5,)),
        ('$.items[-1]["unit price"]', (7,)),
        ("$['items'][1]", ({"unit price": 7},)),
        ("$.größe", (None,)),
        (r"$['it\'s']", (1,)),
        ('$["it\'s"]', (1,)),
        ("$['a\"b']", (2,)),
        (r'$["a\"b"]', (2,)),
        (r"$['gr\u00f6\u00dfe']", (None,)),
        ("$['0']", (3,)),
        ("$[0]", ()),
        ("$.items.length", ()),
        ("$.items[2]", ()),
        ("$.items[-3]", ()),
        ("$.items[0].missing.further", ()),
    ],
)
def test_a_path_leads_to_one_place_or_to_none(path: str, found: tuple[Any, ...]) -> None:
    assert values_at(path, ORDER) == found


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "does not begin with $"),
        ("items", "does not begin with $"),
        ("$.", "from character 2 on"),
        ("$.a b", "from character 4 on"),
        ("$.items[*]", "from character 8 on"),
        ("$..a", "from character 2 on"),
        ("$[01]", "from character 2 on"),
        ("$[-0]", "from character 2 on"),
        ("$[1:2]", "from character 2 on"),
        ("$.1", "from character 2 on"),
        ("$['a", "from character 2 on"),
        (r"$['\x41']", "escapes cannot be read"),
        ("$['a\nb']", "escapes cannot be read"),
        ("$" + ".a" * 300, "is longer than"),
    ],
)
def test_what_could_lead_to_several_places_or_is_misspelled_is_no_path(path: str, said: str) -> None:
    problem = problem_with(path)

    assert problem is not None
    assert said in problem


@given(
    st.text(max_size=30) | st.text("$.[]'\"\\a0-1*", max_size=12).map(lambda text: f"${text}"),
    st.none() | st.integers(),
)
def test_whatever_is_written_is_a_path_or_refused(path: str, value: Any) -> None:
    try:
        steps_of(path)
    except NotAPath:
        return
    values_at(path, value)


@given(st.lists(st.text(max_size=5) | st.integers(0, 3), max_size=4))
def test_every_place_has_a_path(steps: list[str | int]) -> None:
    value: Any = "here"
    for step in reversed(steps):
        value = {step: value} if isinstance(step, str) else [None] * step + [value]
    quoted = "".join(f"[{each}]" if isinstance(each, int) else f"[{_quoted(each)}]" for each in steps)

    assert values_at(f"${quoted}", value) == ("here",)


def _quoted(name: str) -> str:
    return '"' + "".join(f"\\u{ord(each):04x}" if ord(each) < 0x10000 else each for each in name) + '"'
