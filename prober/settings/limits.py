"""What the file may make of each limit: a number, a size such as 2MiB, a time such as 500ms, within its bounds."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from prober import values
from prober.limits import ABOUT, BOUNDS, SIZES, Limits, amount


def limit_field(name: str) -> tuple[Any, Any]:
    """Type and description of the key, as `pydantic.create_model` takes them."""
    default = getattr(Limits(), name)
    about, _ = ABOUT[name]
    described = f"{about[0].upper()}{about[1:]}: {_range(name)}."
    kind: Any = int if isinstance(default, int) else float
    checked = Annotated[kind, BeforeValidator(_within(name)), WithJsonSchema(_schema(name))]
    return checked, Field(default=default, alias=name, description=described)


def _within(name: str) -> Callable[[object], float]:
    low, high = BOUNDS[name]
    read, such = _reading(name)
    way_out = f"{such}; leave it out for {amount(name, getattr(Limits(), name))}"

    def limit(value: object) -> float:
        number = read(value)
        if not low <= number <= high:
            raise values.Refused(f"must be from {_range(name)}", way_out)
        return number

    return limit


def _reading(name: str) -> tuple[Callable[[object], float], str]:
    if name in SIZES:
        return values.size, "write a number of bytes, or such as 64KiB, 2MiB"
    if name.endswith("_s"):
        return values.duration_s, "write a number of seconds, or such as 500ms, 2s"
    return _count, "write a whole number"


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise values.Refused("is not a whole number", "write it without quotes and without a point")
    return value


def _range(name: str) -> str:
    return " to ".join(amount(name, bound) for bound in BOUNDS[name])


def _schema(name: str) -> dict[str, Any]:
    low, high = BOUNDS[name]
    number = {"type": "number" if name.endswith("_s") else "integer", "minimum": low, "maximum": high}
    pattern = _PATTERNS.get(_reading(name)[0])
    return number if pattern is None else {"anyOf": [number, {"type": "string", "pattern": pattern}]}


_PATTERNS: Final[dict[Any, str]] = {values.size: values.SIZE_PATTERN, values.duration_s: values.DURATION_PATTERN}
