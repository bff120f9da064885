"""A channel names another that takes its place, and never in a circle."""

import pytest

from prober.settings import ConfigError, parse

LINE = "- {{kind: slack, name: {0}, webhook: env:HOOK, fallback: {1}}}\n"


def faults(*fallbacks: tuple[str, str]) -> list[str]:
    text = "endpoints: []\nnotifiers:\n- {kind: slack, name: last, webhook: env:HOOK}\n"
    try:
        parse((text + "".join(LINE.format(*each) for each in fallbacks)).encode(), "prober.yaml", {})
    except ConfigError as refused:
        return [each.message for each in refused.problems]
    return []


def test_a_chain_of_fallbacks_is_fine() -> None:
    assert faults(("a", "b"), ("b", "c"), ("c", "last")) == []


@pytest.mark.parametrize(
    ("fallbacks", "circle"),
    [
        ((("a", "b"), ("b", "a")), "a → b → a"),
        ((("a", "b"), ("b", "c"), ("c", "a")), "a → b → c → a"),
        ((("x", "a"), ("a", "b"), ("b", "a")), "a → b → a"),
    ],
)
def test_a_circle_is_told_once(fallbacks: tuple[tuple[str, str], ...], circle: str) -> None:
    (fault,) = faults(*fallbacks)
    assert fault.endswith(f"leads in a circle: {circle}")


def test_a_channel_is_not_its_own_fallback_and_the_other_must_be_there() -> None:
    (own,) = faults(("a", "a"))
    assert "is its own name" in own
    (nobody,) = faults(("a", "nobody"))
    assert "names nobody" in nobody
