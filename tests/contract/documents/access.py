"""Every route of the dashboard, with what it asks of whoever calls it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from dashboard.access.gate import Gate
from dashboard.access.permissions import GRANTS, Permission
from dashboard.app import build
from dashboard.config import Config
from prober.clock import SystemClock
from tests.contract.documents.tables import table

HEAD: Final = """\
# Who may do what

Every route of the dashboard asks for one permission, or for none. People have the permissions of their role, tokens
those of their scopes, as far as whoever made them has them too; `read` does not come with the others in a token.
Whoever is not known is led to the login by pages, and refused with 401 by the API. People and tokens are managed by
people alone: no token adds either, whatever its scopes are. An open dashboard (`dashboard.access: open`) lets everybody
through. How the first admin and others get in stands under [Logging in](running.md#logging-in).
"""
STATIC: Final = "/static"


@dataclass(frozen=True, slots=True, order=True)
class Door:
    """One method of one route; `permission` is empty where everybody may call it."""

    path: str
    method: str
    permission: str
    people_alone: bool = False


def doors(app: FastAPI) -> list[Door]:
    """All routes of the application. Raises AssertionError for one that has not exactly one gate."""
    return sorted(_doors(app.routes))


def application() -> FastAPI:
    return build(Config(database_url="postgresql://nobody@127.0.0.1:1/none"), SystemClock())


def access() -> str:
    """The document."""
    return "\n".join([*_lines(doors(application())), ""])


def _doors(routes: Iterable[Any]) -> Iterator[Door]:
    for route in routes:
        if isinstance(route, APIRoute):
            gates = [each.dependency for each in route.dependencies if isinstance(each.dependency, Gate)]
            assert len(gates) == 1, f"{route.path} has {len(gates)} gates"
            gate = gates[0]
            yield from (Door(route.path, method, gate.permission or "", gate.people_alone) for method in route.methods)
        elif isinstance(route, Mount):
            assert route.path == STATIC, route.path
        else:
            yield from _doors(route.original_router.routes)


def _lines(all_doors: list[Door]) -> Iterator[str]:
    yield HEAD
    yield "## Roles and scopes\n"
    yield table(
        ("role", *(f"`{each}`" for each in Permission)),
        [(f"`{role}`", *("yes" if each in grants else "" for each in Permission)) for role, grants in GRANTS.items()],
    )
    for permission in ("", *Permission):
        yield f"\n## {f'`{permission}`' if permission else 'Everybody'}\n"
        paths: dict[str, list[str]] = {}
        for door in all_doors:
            if door.permission == permission and door.method != "HEAD":
                paths.setdefault(door.path, []).append(door.method)
        yield table(("path", "methods"), [(f"`{path}`", ", ".join(methods)) for path, methods in paths.items()])
