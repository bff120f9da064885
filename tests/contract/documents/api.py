"""The reference of the API, from its description."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dashboard.api.description import operations
from dashboard.api.routes import ADDRESS, description
from tests.contract.documents.tables import table

HEAD: Final = f"""\
# API

The dashboard serves it, under the same address. Its description for programs (OpenAPI 3.1), with every field, stands at
`{ADDRESS}`; this page says what there is, and what each operation asks of whoever calls it.
"""
EXAMPLE: Final = """\
## By example

```console
$ export PROBER=https://prober.example.com TOKEN=mcpp_…
$ curl -sS -H "Authorization: Bearer $TOKEN" "$PROBER/api/endpoints?verdict=down"
$ curl -sS -H "Authorization: Bearer $TOKEN" "$PROBER/api/figures?endpoint=orders&first=2026-10-01T00:00:00Z"
$ curl -sS -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$PROBER/api/endpoints" \\
    -d '{"name": "orders", "url": "https://abc123.lambda-url.eu-central-1.on.aws/mcp", "interval": "60s"}'
$ curl -sS -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$PROBER/api/deploys" \\
    -d '{"endpoints": ["orders"], "lasts_s": 300}'
$ curl -sS -H "Authorization: Bearer $TOKEN" -X POST "$PROBER/api/endpoints/orders/probe"
```

An endpoint is kept by the configuration file or by people, by API and page; `owner` says which. What the file keeps is
changed there, and refused here with 409. A name that the file takes later goes over to it, and the audit log says so.
An entry is like one of `endpoints` in the [configuration](configuration.md), without the defaults that stand in the
file. Its secrets are references, and must be allowed by `secrets.allow` of the file: without that section, an endpoint
that people keep has none.
"""
TITLES: Final = {"read": "What is known", "change": "What people change"}


def api() -> str:
    """The document."""
    return "\n".join(_lines(description()))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield HEAD
    yield document["info"]["description"]
    for tag, title in TITLES.items():
        yield f"## {title}\n"
        rows = [
            (f"`{method.upper()} {path}`", f"`{each['x-permission']}`", _said(each), _asked(each))
            for path, method, each in sorted(operations(document), key=lambda found: found[0])
            if each["tags"] == [tag]
        ]
        yield table(("operation", "permission", "", "parameters"), rows) + "\n"
    yield EXAMPLE


def _said(operation: Mapping[str, Any]) -> str:
    return " ".join(str(operation["description"]).split())


def _asked(operation: Mapping[str, Any]) -> str:
    named = [each["name"] for each in operation.get("parameters", ()) if each["in"] != "path"]
    return ", ".join(f"`{name}`" for name in named if name != "If-None-Match")
