"""Templates to HTML: every value is escaped, an undefined one is an error, static files carry their hash."""

import hashlib
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from dashboard.charts import PHASES
from dashboard.wording import milliseconds

READ: Final = ["GET", "HEAD"]
"""Methods of a page that is only looked at."""

STATIC: Final = Path(__file__).parent / "static"
_TEMPLATES: Final = Path(__file__).parent / "templates"


def _asset(name: str) -> str:
    """The address of a static file, which changes with its content, so that browsers may keep it for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    assets = {path.name: _asset(path.name) for path in STATIC.iterdir()}
    environment.globals.update(asset=assets.__getitem__, phases=PHASES)
    environment.filters["ms"] = milliseconds
    return environment


_ENVIRONMENT: Final = _environment()


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    section: str = "",
    live: str | None = None,
    headers: dict[str, str] | None = None,
    **values: Any,
) -> HTMLResponse:
    """The page, or only its content where the page's own script asks with `?fragment=1`.

    `live` makes the page update itself: on every report, or on those of the endpoint with this id. None: it stays.
    """
    html = _ENVIRONMENT.get_template(template).render(
        fragment=request.query_params.get("fragment") == "1", section=section, live=live, **values
    )
    return HTMLResponse(html, status_code=status, headers=headers)
