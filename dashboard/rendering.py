"""Templates to HTML: every value is escaped, an undefined one is an error, static files carry their hash."""

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from checks.proofs import milliseconds
from dashboard.access import cookies, csrf
from dashboard.access.gate import Actor
from dashboard.access.mode import AccessConfig
from dashboard.access.permissions import Permission
from dashboard.charts import PHASES
from prober.storage.logins import new_secret

READ: Final = ["GET", "HEAD"]
"""Methods of a page that is only looked at."""

STATIC: Final = Path(__file__).parent / "static"
_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(slots=True)
class _Reader:
    """Whoever a page is rendered for."""

    actor: Actor | None
    """None where nobody asked who it is: then the page says nothing about it."""
    secret: str | None
    is_new: bool = False

    def csrf(self) -> Markup:
        """The field that every form which changes something must have."""
        if self.actor is None or not self.actor.needs_field:
            value = ""
        else:
            if self.secret is None:
                self.secret, self.is_new = new_secret(), True
            value = csrf.token(self.secret)
        return Markup('<input type="hidden" name="{}" value="{}">').format(csrf.FIELD, value)

    def may(self, permission: str) -> bool:
        return self.actor is not None and Permission(permission) in self.actor.permissions

    @property
    def name(self) -> str:
        """Of a person; empty where nobody has said who they are."""
        actor = self.actor
        return actor.author.name if actor is not None and actor.is_known and actor.needs_field else ""

    @property
    def has_login(self) -> bool:
        return self.actor is not None and self.actor.login is not None

    @property
    def is_stranger(self) -> bool:
        return self.actor is not None and not self.actor.is_known


_READER: ContextVar[_Reader] = ContextVar("reader")


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
    environment.globals.update(
        asset=assets.__getitem__,
        phases=PHASES,
        csrf=lambda: _READER.get().csrf(),
        may=lambda permission: _READER.get().may(permission),
        person=lambda: _READER.get().name,
        has_login=lambda: _READER.get().has_login,
        stranger=lambda: _READER.get().is_stranger,
    )
    environment.filters["ms"] = milliseconds
    return environment


_ENVIRONMENT: Final = _environment()


def rendered(template: str, **values: Any) -> str:
    """The template with these values, each of them escaped."""
    return _ENVIRONMENT.get_template(template).render(**values)


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
    Templates know who reads: `may("operate")` says whether that one may, `person()` is the name, and `csrf()` the field
    that every form which changes something must have.
    """
    actor: Actor | None = getattr(request.state, "actor", None)
    reader = _Reader(actor, None if actor is None else actor.secret)
    mark = _READER.set(reader)
    try:
        html = _ENVIRONMENT.get_template(template).render(
            fragment=request.query_params.get("fragment") == "1", section=section, live=live, **values
        )
    finally:
        _READER.reset(mark)
    answer = HTMLResponse(html, status_code=status, headers=headers)
    if reader.is_new and reader.secret is not None:
        config: AccessConfig = request.app.state.access
        cookies.put(answer, request, config, cookies.VISIT, reader.secret)
    return answer
