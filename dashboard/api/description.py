"""The description of the API (OpenAPI 3.1): beside what FastAPI knows, who may call what, and every error there is."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from dashboard.access.cookies import LOGIN
from dashboard.access.gate import Gate
from dashboard.access.permissions import Permission
from dashboard.api.bodies import MOST_BYTES
from dashboard.api.problems import MEDIA_TYPE, Fault, Problem
from prober.settings.schema import EndpointSection

_REF: Final = "#/components/schemas/{model}"
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_ENTRY: Final = EndpointSection.__name__

_ABOUT: Final = f"""\
What mcp-prober knows, and what people change.

- Who asks shows an API token, `Authorization: Bearer …`, or the cookie of a login; changes by a login also need the
  field of its forms, in the header `X-CSRF-Token`. Tokens have the scopes `read`, `operate` and `manage`.
- Times are in UTC after RFC 3339. Milliseconds end in `_ms`, seconds in `_s`.
- Every error is a problem after RFC 9457. Texts of watched servers are theirs: escape them.
- Lists that can be long come in pieces: hand `next` back as `cursor`.
- What is read has an `ETag`: `If-None-Match` asks for it only where it has changed.
- A body has up to {MOST_BYTES // 1024} KiB.
- Every change is written into the audit log.
"""
_ALWAYS: Final[Mapping[int, str]] = {
    503: "The database cannot be reached.",
}
_GATED: Final[Mapping[int, str]] = {
    401: "Nobody knows who asks.",
    403: "Whoever asks may not, or it was a page of another site.",
}
_SENT: Final[Mapping[int, str]] = {
    400: "The body cannot be read.",
    413: "The body is too large.",
    415: "The body is not JSON.",
}
_WITH_CONDITION: Final[Mapping[int, str]] = {412: "It is another edition by now."}
_NOT_FOUND: Final = "There is no such thing."
_CONFLICT: Final = "As things are now, this cannot be done."
_UNUSABLE: Final = "What was sent makes no sense: `errors` says where."
_UNCHANGED: Final = "It is what `If-None-Match` names."


def described(routes: list[APIRoute], version: str) -> dict[str, Any]:
    """The description of these routes."""
    document = get_openapi(
        title="mcp-prober",
        version=version,
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=routes,
        tags=[{"name": "read", "description": "What is known."}, {"name": "change", "description": "What people do."}],
    )
    gates = {(route.path_format, method.lower()): gate_of(route) for route in routes for method in route.methods or ()}
    for path, method, operation in operations(document):
        _complete(path, method, operation, gates[path, method])
    _write_entry(document)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (Problem, Fault):
        schemas[model.__name__] = _without_definitions(model.model_json_schema(ref_template=_REF))
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
        "login": {"type": "apiKey", "in": "cookie", "name": f"__Host-{LOGIN}", "description": "A login."},
    }
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its path and its method."""
    for path, item in document["paths"].items():
        yield from ((path, method, operation) for method, operation in item.items() if method in _METHODS)


def gate_of(route: APIRoute) -> Permission | None:
    """What a route asks of whoever calls it."""
    gates = [each.dependency for each in route.dependencies if isinstance(each.dependency, Gate)]
    return gates[0].permission if gates else None


def _complete(path: str, method: str, operation: dict[str, Any], permission: Permission | None) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status, meaning in sorted(_errors(path, method, operation, permission).items()):
        content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model=Problem.__name__)}}}
        responses[str(status)] = {"description": meaning, "content": content}
    if method == "get":
        responses["304"] = {"description": _UNCHANGED}
        responses["200"].setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}}
        operation.setdefault("parameters", []).append(
            {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}
        )
    if permission is not None:
        operation["security"] = [{"token": [permission.value]}, {"login": []}]
        operation["x-permission"] = permission.value


def _errors(path: str, method: str, operation: Mapping[str, Any], permission: Permission | None) -> dict[int, str]:
    found = {**_ALWAYS, 422: _UNUSABLE}
    if permission is not None:
        found |= _GATED
    if "{" in path:
        found[404] = _NOT_FOUND
    if method != "get":
        found |= {409: _CONFLICT, **_SENT}
    if any(each["name"] == "If-Match" for each in operation.get("parameters", ())):
        found |= _WITH_CONDITION
    return found


def _write_entry(document: dict[str, Any]) -> None:
    """Describe the entry of an endpoint as the configuration file has it; a change may leave out the name."""
    whole = EndpointSection.model_json_schema(ref_template=_REF)
    schemas = document["components"]["schemas"]
    schemas.update(whole.pop("$defs", {}))
    schemas[_ENTRY] = whole
    changed = {**whole, "required": [each for each in whole["required"] if each != "name"]}
    paths = document["paths"]
    for path, method, schema in (("/api/endpoints", "post", whole), ("/api/endpoints/{name}", "put", changed)):
        named = schema if schema is changed else {"$ref": _REF.format(model=_ENTRY)}
        media = {"schema": named, "examples": {"small": {"value": _EXAMPLE}}}
        paths[path][method]["requestBody"] = {"required": True, "content": {"application/json": media}}


_EXAMPLE: Final = {
    "name": "orders",
    "url": "https://abc123.lambda-url.eu-central-1.on.aws/mcp",
    "labels": {"team": "commerce"},
    "interval": "60s",
    "expected_tools": ["list_orders"],
    "auth": {"bearer": "env:ORDERS_TOKEN"},
}


def _without_definitions(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "$defs"}
