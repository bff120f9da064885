"""One file with all that a bug report needs: the reports, the evidence, the settings without secrets, the versions.

What was sent is redacted by the wire already. Here the settings are too: of a header only its name stays, and a
reference where its value is one; and what a server gave out as proof of a session is taken out.
"""

import io
import json
import platform
import sys
import zipfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from checks.encode import as_json
from checks.model import Endpoint
from checks.text import REDACTED, shown_url
from prober.app.smoke import Examined, Run
from prober.cli.reports import rendered
from prober.secrets.references import is_reference

SCHEMA_VERSION: Final = 1
FORMS: Final = {"report.txt": "text", "report.json": "json", "report.md": "markdown"}
_PACKAGES: Final = ("httpx", "h11", "httptools", "pydantic", "aiohappyeyeballs", "httpx-sse")
_PROOFS: Final = frozenset({"set-cookie", "cookie", "mcp-session-id", "authorization", "proxy-authorization"})
"""Headers whose values let their bearer in."""


def bundle(run: Run) -> bytes:
    """The bytes of a ZIP file."""
    written = io.BytesIO()
    at = run.started_at.timetuple()[:6]
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _files(run).items():
            archive.writestr(zipfile.ZipInfo(name, at), text.encode(errors="backslashreplace"), zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _files(run: Run) -> dict[str, str]:
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "prober": run.version,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "endpoints": [_settings(each.endpoint) for each in run.examined],
    }
    return {
        "manifest.json": json.dumps(manifest, indent=2),
        **{name: rendered(run, form) for name, form in FORMS.items()},
        "evidence.json": json.dumps([_evidence(each) for each in run.examined], indent=2),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _settings(endpoint: Endpoint) -> dict[str, Any]:
    """How the endpoint is asked, without what proves who asks."""
    written: dict[str, Any] = as_json(endpoint)
    written["url"] = shown_url(endpoint.url)
    written["headers"] = {name: value if is_reference(value) else REDACTED for name, value in endpoint.headers.items()}
    if endpoint.oauth is not None:
        written["oauth"] = {
            **written["oauth"],
            "token_url": shown_url(endpoint.oauth.token_url),
            "client_id": REDACTED,
            "client_secret": _reference(endpoint.oauth.client_secret),
        }
    written["bearer"] = _reference(endpoint.bearer)
    return written


def _reference(text: str | None) -> str | None:
    return text if text is None or is_reference(text) else REDACTED


def _evidence(examined: Examined) -> dict[str, Any]:
    report = None if examined.report is None else _without_proofs(as_json(examined.report))
    return {"endpoint": as_json(examined.endpoint.name), "attempts": as_json(examined.attempts), "report": report}


def _without_proofs(value: Any) -> Any:
    """The evidence without the values of headers that let their bearer in, wherever a list of headers stands."""
    if isinstance(value, Mapping):
        return {
            key: [_header(each) for each in item] if key in ("headers", "request_headers") else _without_proofs(item)
            for key, item in value.items()
        }
    return [_without_proofs(each) for each in value] if isinstance(value, list) else value


def _header(pair: list[str]) -> list[str]:
    name, value = pair
    return [name, REDACTED if name.lower() in _PROOFS and "${" not in value else value]
