"""Whether a tool's result is what its owner expects: text, pattern, JSON by subset, JSON at paths, schema."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from checks import json_paths, json_schema, patterns
from checks.messages import text_of
from checks.model import Expectation
from checks.proofs import shown_json
from checks.text import clean

OPEN: Final = "the answer is too large or too deeply nested to be measured by the schema"


def mismatch_of(result: Mapping[str, Any], expect: Expectation) -> str | None:
    """What is not as expected, or None. Without an expectation any result is right, also one without content."""
    try:
        return next(_mismatches(result, expect), None)
    except (patterns.Unusable, json_paths.NotAPath) as refused:
        # They are refused where they are written; what another release let pass is not lost for the others.
        return f"the expectation cannot be used: it {refused}"


def _mismatches(result: Mapping[str, Any], expect: Expectation) -> Iterator[str]:
    text = text_of(result)
    if expect.text is not None and expect.text not in text:
        yield f"expected the text “{clean(expect.text, 80)}”, got “{clean(text, 120)}”"
    if expect.matches is not None and not patterns.compiled(expect.matches).found_in(text):
        yield f"expected a match of “{clean(expect.matches, 80)}”, got “{clean(text, 120)}”"
    if expect.json is None and not expect.at and expect.schema is None:
        return
    structured = result.get("structuredContent")
    given = structured if structured is not None else _parsed(text)
    if expect.json is not None and not contains(given, expect.json):
        yield f"expected {shown_json(expect.json)}, got {shown_json(given)}"
    for path, expected in expect.at.items():
        found = json_paths.values_at(path, given)
        if not found or not _is_equal(found[0], expected):
            got = shown_json(found[0]) if found else f"no such place in {shown_json(given)}"
            yield f"expected {shown_json(expected)} at {clean(path, 80)}, got {got}"
    if expect.schema is not None:
        judged = json_schema.judge(given, expect.schema, is_ours=True)
        if judged.fault is not None:
            yield f"not as the expected schema says: {judged.fault}"
        elif not judged.is_whole:
            yield OPEN


def contains(given: Any, expected: Any) -> bool:
    """Whether `given` holds all that is expected: objects by subset, everything else by equality.

    `true` is not `1`, as in JSON, although Python takes them for equal.
    """
    if isinstance(expected, Mapping):
        return isinstance(given, Mapping) and all(
            key in given and contains(given[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(given, list | tuple)
            and len(given) == len(expected)
            and all(contains(one, other) for one, other in zip(given, expected, strict=True))
        )
    return json_schema.equal(given, expected)


def _is_equal(given: Any, expected: Any) -> bool:
    try:
        return json_schema.equal(given, expected)
    except RecursionError:
        return False


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
