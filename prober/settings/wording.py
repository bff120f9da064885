"""Says in plain words what pydantic found; no value is ever repeated, because it may be a secret."""

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from prober import values

_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("is missing", "add it"),
    "string_type": ("is not a text", "write one text, in quotes where it looks like something else"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "bool_parsing": ("is neither true nor false", "write true or false"),
    "int_type": ("is not a whole number", "write digits alone"),
    "int_parsing": ("is not a whole number", "write digits alone"),
    "int_from_float": ("is not a whole number", "write digits alone"),
    "list_type": ("is not a list", "begin each item with a hyphen, or write [one, two]"),
    "dict_type": ("is not a mapping", "write key: value lines below it, indented"),
    "model_type": ("is not a mapping", "write key: value lines below it, indented"),
    "string_too_short": ("is empty", "fill it in or leave it out"),
}


def wording(error: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    """Message and way out of one error in the validation of `model`."""
    kind = error["type"]
    context = error.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, values.Refused):
        return cause.message, cause.hint
    if {"message", "hint"} <= context.keys():
        return str(context["message"]), str(context["hint"])
    if kind == "extra_forbidden":
        return "is not a known key", nearest(str(error["loc"][-1]), _known_keys(model, error["loc"][:-1]))
    if kind in ("literal_error", "enum"):
        return _plain(error["msg"]), "write one of these, or leave it out"
    if kind in _WORDS:
        return _WORDS[kind]
    return _plain(error["msg"]), ""


def _plain(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Input ").removeprefix("Value ")
    return text.replace("should be", "must be", 1).replace("should have", "must have", 1)


def nearest(written: str, known: Sequence[str]) -> str:
    """The way out for an unknown word: the known one that looks like it, or all that are known there."""
    near = difflib.get_close_matches(written.lower(), known, n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def _known_keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys of the section that stands at `location` below `model`."""
    section = model
    for part in location:
        if isinstance(part, str):
            fields = {info.alias or name: info for name, info in section.model_fields.items()}
            section = next(_sections_in(fields[part].annotation))
    return [info.alias or name for name, info in section.model_fields.items()]


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from _sections_in(inner)
