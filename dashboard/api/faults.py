"""Says what is wrong with a request, each fault with its place and the way out, and refuses parameters that are not
there: a filter with a slip of the pen would otherwise be none.

No value is repeated: it may be a secret.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.requests import Request

from checks.text import clean
from dashboard.access.gate import actor_of
from dashboard.api.description import gate_of
from dashboard.api.problems import Fault
from dashboard.operations.refusals import Unusable
from prober import values
from prober.settings import Problem
from prober.settings.wording import nearest

UNUSABLE: Final = "What was sent cannot be used."

_OBJECT: Final = ("is no object", 'write {"name": value}')
_TEXT: Final = ("is no text", "write one in quotes")
_NUMBER: Final = ("is no number", "write digits, without quotes in JSON")
_WHOLE: Final = ("is no whole number", "write digits alone, without quotes in JSON")
_TRUTH: Final = ("is neither true nor false", "write true or false")
_MOMENT: Final = ("is no moment with its zone", "write one such as 2026-11-20T18:00:00Z")
_IDENTITY: Final = ("is no id", "take the one that a list of this API holds")
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("is missing", "add it"),
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "list_type": ("is no list", 'write ["one", "two"]'),
    "string_type": _TEXT,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "uuid_type": _IDENTITY,
    "uuid_parsing": _IDENTITY,
    "timezone_aware": _MOMENT,
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
}
_BOUNDS: Final[Mapping[str, Callable[[Mapping[str, Any]], tuple[str, str]]]] = {
    "greater_than_equal": lambda bound: ("is too small", f"write {bound['ge']:.15g} or more"),
    "less_than_equal": lambda bound: ("is too large", f"write {bound['le']:.15g} or less"),
    "string_too_short": lambda bound: ("is too short", f"it has at least {_characters(bound['min_length'])}"),
    "string_too_long": lambda bound: ("is too long", f"it has at most {_characters(bound['max_length'])}"),
    "string_pattern_mismatch": lambda bound: ("is not written as it has to be", f"it matches {bound['pattern']}"),
    "too_long": lambda bound: ("has too many entries", f"send at most {bound['max_length']} at once"),
    "enum": lambda bound: ("is not known here", f"write {bound['expected']}"),
    "literal_error": lambda bound: ("is not known here", f"write {bound['expected']}"),
}
_OTHERWISE: Final = "see /api/openapi.json for what it may be"


async def known_parameters(request: Request) -> None:
    """Raises HTTPException where the address has a parameter that the operation has not, for whoever may ask at all."""
    route: APIRoute = request.scope["route"]
    asked = dict.fromkeys(request.query_params)
    known = _parameters(_operation(request))
    unknown = [name for name in asked if name not in known]
    permission = gate_of(route)
    if unknown and (permission is None or permission in (await actor_of(request)).permissions):
        way_out = "leave it out: there are no parameters here"
        raise Unusable(
            UNUSABLE,
            [
                Problem(clean(name, 60), "is no parameter of this", nearest(name, known) if known else way_out)
                for name in unknown
            ],
        )


def fault_of(request: Request, error: Mapping[str, Any]) -> Fault:
    """What pydantic found in a request, without the marks of where FastAPI took it from."""
    kind, location = error["type"], error["loc"][1:]
    context = error.get("ctx") or {}
    if kind == "json_invalid":
        found = clean(str(context.get("error", "")), 100)
        return Fault(place="", message=f"is no JSON: {found} at character {location[0]}", way_out="mend it there")
    message, way_out = _words(request, error, kind, context)
    return Fault(place=".".join(clean(str(part), 60) for part in location), message=message, way_out=way_out)


def _words(request: Request, error: Mapping[str, Any], kind: str, context: Mapping[str, Any]) -> tuple[str, str]:
    cause = context.get("error")
    if isinstance(cause, values.Refused):
        return clean(cause.message, 300), clean(cause.hint, 300) or _OTHERWISE
    if kind == "missing" and len(error["loc"]) == 1:
        return "is missing", "send a JSON object"
    if kind == "extra_forbidden":
        known = _fields(request) if len(error["loc"]) == 2 and error["loc"][0] == "body" else []
        return "is not known here", nearest(str(error["loc"][-1]), known) if known else "leave it out"
    if kind in _BOUNDS:
        return _BOUNDS[kind](context)
    return _WORDS.get(kind, (clean(str(error["msg"]), 300), _OTHERWISE))


def _operation(request: Request) -> Mapping[str, Any]:
    """The operation in the description of the API; empty for pages."""
    route: APIRoute = request.scope["route"]
    paths: Mapping[str, Any] = request.app.openapi()["paths"]
    found: Mapping[str, Any] = paths.get(route.path_format, {}).get(request.method.lower(), {})
    return found


def _parameters(operation: Mapping[str, Any]) -> list[str]:
    return [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]


def _fields(request: Request) -> Sequence[str]:
    """The names of the fields of the body; empty where it may have any."""
    media = _operation(request).get("requestBody", {}).get("content", {}).get("application/json", {})
    schema: Mapping[str, Any] = media.get("schema", {})
    named = schema.get("$ref", "").rpartition("/")[2]
    schemas: Mapping[str, Any] = request.app.openapi()["components"]["schemas"]
    return list(schemas.get(named, schema).get("properties", ()))


def _characters(number: int) -> str:
    return "1 character" if number == 1 else f"{number} characters"
