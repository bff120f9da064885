"""Endpoints depend on others, and never in a circle, in which each would keep the others from being told."""

import pytest

from prober.settings import ConfigError, parse

LINE = "- {{name: {0}, url: 'https://{0}.example/mcp', depends_on: [{1}]}}\n"


def faults(**depends_on: str) -> list[str]:
    text = "endpoints:\n" + "".join(LINE.format(*each) for each in depends_on.items())
    try:
        parse(text.encode(), "prober.yaml", {})
    except ConfigError as refused:
        return [each.message for each in refused.problems]
    return []


def test_two_ways_to_the_same_endpoint_are_fine() -> None:
    assert faults(shop="gateway, search", search="gateway", gateway="") == []


@pytest.mark.parametrize(
    ("depends_on", "circle"),
    [
        ({"a": "b", "b": "a"}, "a → b → a"),
        ({"a": "b, c", "b": "", "c": "d", "d": "a"}, "a → c → d → a"),
        ({"x": "a", "a": "b", "b": "a"}, "a → b → a"),
    ],
)
def test_a_circle_is_told_once(depends_on: dict[str, str], circle: str) -> None:
    (fault,) = faults(**depends_on)
    assert fault.endswith(f"leads in a circle: {circle}")


def test_an_endpoint_does_not_depend_on_itself() -> None:
    (own,) = faults(a="a")
    assert "is its own name" in own


@pytest.mark.parametrize("key", ["endpoints", "notifiers", "maintenance"])
def test_a_name_that_is_a_list_is_a_fault_like_any_other(key: str) -> None:
    text = "endpoints: []\n" if key != "endpoints" else ""
    with pytest.raises(ConfigError) as refused:
        parse(
            f"{text}{key}:\n- {{name: [a], kind: slack, depends_on: [[b]], fallback: [c]}}\n".encode(),
            "prober.yaml",
            {},
        )
    assert any("name" in str(each) for each in refused.value.problems)
