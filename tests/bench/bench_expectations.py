"""What expectations cost on answers of up to 1 MiB, with rules and schemas that ruin other engines.

Aim: patterns in proportion to the text, and no schema beyond some 100 ms, whatever the answer.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from checks.expectations import mismatch_of
from checks.json_schema import judge
from checks.model import Expectation
from checks.patterns import Unusable, compiled

SIZES = (1 << 16, 1 << 18, 1 << 20)
PATTERNS = (r"^(a+)+$", r"^(a|aa)+$", r"(.*a){20}b", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"x*x*x*y", r"[ab]*a[ab]{120}c")
DOUBLING = {
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {}},
    "$ref": "#/$defs/d0",
}


def milliseconds(run: Callable[[], object], times: int) -> float:
    """The best of some runs."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best * 1000


def patterns(times: int) -> None:
    print("pattern searched by RE2, ms per KiB of text:", *(f"{size >> 10:>6} KiB" for size in SIZES))
    for pattern in PATTERNS:
        try:
            ready = compiled(pattern)
        except Unusable as unusable:
            print(f"  {pattern:<32} {unusable}")
            continue
        texts = ["a" * (size - 1) + "!" for size in SIZES]
        figures = [milliseconds(lambda text=text, ready=ready: ready.found_in(text), times) for text in texts]
        each = zip(figures, SIZES, strict=True)
        print(f"  {pattern:<32}", *(f"{ms:8.2f} ({ms * 1024 / size:.4f})" for ms, size in each))


def schemas(times: int) -> None:
    print("schema on JSON of about 1 MiB, ms:")
    numbers = list(range(150_000))
    twins = [{"a": number} for number in range(80_000)]
    cases: list[tuple[str, Any, Any]] = [
        ("every element a type", numbers, {"items": {"type": "integer"}}),
        ("unique elements", twins, {"uniqueItems": True}),
        ("a thousand branches", numbers, {"anyOf": [{"type": "string"}] * 1000}),
        ("references that double", 1, DOUBLING),
        ("a pattern on one long text", "a" * (1 << 20), {"pattern": r"^(a+)+$"}),
        ("a pattern on each name", {f"k{n}": n for n in range(80_000)}, {"patternProperties": {"^(k+)+$": False}}),
        ("every value in a long list", numbers, {"items": {"enum": list(range(-5000, 0))}}),
    ]
    for title, value, schema in cases:
        whole = judge(value, schema).is_whole
        spent = milliseconds(lambda v=value, s=schema: judge(v, s), times)
        print(f"  {title:<32} {spent:8.1f}  {'judged' if whole else 'left open'}")


def expectations(times: int) -> None:
    print("one expectation on a result of about 1 MiB, ms:")
    text = {"content": [{"type": "text", "text": "a" * (1 << 20)}]}
    structured = {"structuredContent": {"items": [{"id": n} for n in range(80_000)]}}
    cases = (
        ("text", text, Expectation(text="b")),
        ("matches", text, Expectation(matches=r"^(a+)+$")),
        ("json", structured, Expectation(json={"items": [{"id": 0}]})),
        ("at", structured, Expectation(at={"$.items[79999].id": 0})),
        ("schema", structured, Expectation(schema={"properties": {"items": {"items": {"required": ["id"]}}}})),
    )
    for title, result, expect in cases:
        print(f"  {title:<32} {milliseconds(lambda r=result, e=expect: mismatch_of(r, e), times):8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    times = parser.parse_args().times
    patterns(times)
    schemas(times)
    expectations(times)


if __name__ == "__main__":
    main()
