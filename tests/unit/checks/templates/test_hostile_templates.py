"""Whatever stands where something else is expected, the rules go on."""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.templates.judging import judge_template
from checks.templates.stack import Template
from prober.endpoints.template_file import read_template

HEALTHY = sorted((Path(__file__).parent / "healthy").iterdir())
VALUES: tuple[Any, ...] = (
    None, True, 3, -1, 1.5, "", "${", "x", [], {}, ["a", 1], {"Ref": "A"}, {"Fn::If": ["c", 1, 2]},
    {"Fn::Sub": "${X}"}, {"Fn::Sub": ["${X}", 1]}, {"Fn::Join": ["", ["a", {"Ref": "Z"}]]}, {"a": {"b": [1]}},
    "AWS::Lambda::Url", 10**400, float("inf"),
)  # fmt: skip
CHANGED_TEMPLATES = 60


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value."""
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from paths(value[key], (*path, key))


def changed(data: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """The same template with up to four values that are not what they should be."""
    data = copy.deepcopy(data)
    for _ in range(dice.randint(1, 4)):
        *way, last = dice.choice(list(paths(data)))
        inside: Any = data
        for key in way:
            inside = inside[key]
        inside[last] = copy.deepcopy(dice.choice(VALUES))
    return data


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.stem)
def test_a_template_with_wrong_values_anywhere_is_judged_all_the_same(path: Path) -> None:
    template, dice = read_template(path), random.Random(path.stem)
    for _ in range(CHANGED_TEMPLATES):
        data = changed(dict(template.data), dice)
        told = judge_template(Template(data, template.lines), region="eu-central-1", client_timeout_s=5.0)
        assert all(each.evidence and each.fix for each in told.findings)
