"""Puts the servers that were discovered among the endpoints that people keep in the database."""

import argparse
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from checks.text import clean, shown_url
from prober.cli.database import in_database, migrated_url
from prober.cli.errors import CommandError
from prober.cli.person import author
from prober.endpoints.aws_discovery import Server
from prober.settings import endpoint_from
from prober.storage import audit, endpoints, queries
from prober.storage.endpoints import NotWritten


def document_of(server: Server, name: str) -> dict[str, Any]:
    """An entry of `endpoints` for a server. One whose path is a guess is not probed until somebody enables it."""
    return {
        "name": name,
        "url": server.url,
        **({"auth": {"sigv4": True}} if server.signed else {}),
        "labels": {"function": clean(server.function, 100), "region": server.region},
        **({"enabled": False} if server.guessed else {}),
    }


def register(options: argparse.Namespace, servers: Iterable[tuple[Server, str]]) -> Sequence[str]:
    """Watch those that nobody watches yet; a line for each. Raises CommandError for what the database refuses."""

    async def registering(db: AsyncEngine) -> list[str]:
        known = {row.url: row.name for row in await queries.fleet(db)}
        return [line async for line in _registered(db, known, servers)]

    return in_database(migrated_url(options), registering)


async def _registered(
    db: AsyncEngine, known: Mapping[str, str], servers: Iterable[tuple[Server, str]]
) -> AsyncIterator[str]:
    taken = set(known.values())
    for server, wished in servers:
        if server.url in known:
            yield f"{clean(known[server.url], 60)}: is watched already, {shown_url(server.url, 200)}"
            continue
        name = next(each for each in _names(wished) if each not in taken)
        taken.add(name)
        endpoint, extra = endpoint_from(document_of(server, name))
        detail = {"url": shown_url(endpoint.url), "keys": "discovered"}
        try:
            async with audit.change(db, author(), "endpoint.add", name, detail) as connection:
                await endpoints.add(connection, endpoint, extra)
        except NotWritten as refused:
            raise CommandError(str(refused), "those before it are watched from now on") from None
        waits = "; its path is a guess: enable it once that is right" if server.guessed else ""
        yield f"{name}: is watched from now on, {shown_url(server.url, 200)}{waits}"


def _names(wished: str) -> Iterator[str]:
    """The wished one, and others that look like it."""
    yield wished
    number = 2
    while True:
        yield f"{wished}-{number}"
        number += 1
