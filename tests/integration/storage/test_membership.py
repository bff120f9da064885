"""What workers ask is asked in the same words for any number of endpoints: the driver keeps every wording."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.settings.model import EndpointOptions
from prober.storage import endpoints, listings, tables
from prober.storage.identity import endpoint_id
from prober.storage.membership import among
from tests.integration.storage.builders import Store, endpoint
from tests.integration.storage.test_telling import Desk

UP, DOWN = Verdict.UP, Verdict.DOWN
NAMES = tuple(f"shop-{number}" for number in range(6))


@contextmanager
def words(db: AsyncEngine) -> Iterator[set[str]]:
    """The statements that the driver is given meanwhile."""
    heard: set[str] = set()

    def hear(*positional: Any) -> None:
        heard.add(positional[2])

    event.listen(db.sync_engine, "before_cursor_execute", hear)
    try:
        yield heard
    finally:
        event.remove(db.sync_engine, "before_cursor_execute", hear)


async def fails_and_recovers(desk: Desk, *names: str) -> None:
    await desk.see(DOWN, *names)
    await desk.attend()
    await desk.see(UP, *names)
    await desk.attend()


async def test_a_batch_of_another_size_is_saved_in_the_same_words(store: Store) -> None:
    desk = Desk(store)
    depending = EndpointOptions(depends_on=("gateway", NAMES[0]))
    await endpoints.sync(store.db, [endpoint(name) for name in NAMES], options=dict.fromkeys(NAMES[1:], depending))
    for count in (1, 2, 3):  # an outage begins with the third
        await fails_and_recovers(desk, *NAMES[:count])
    with words(store.db) as of_some:
        await fails_and_recovers(desk, *NAMES[:4])
    with words(store.db) as of_more:
        await fails_and_recovers(desk, *NAMES[:5])
    assert of_more - of_some == set()


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_among_finds_what_it_is_given(store: Store, count: int) -> None:
    await Desk(store).watch(*NAMES)
    found = await listings.endpoints_named(store.db, NAMES[:count])
    assert found == {name: endpoint_id(name) for name in NAMES[: count or None]}


async def test_none_is_among_nothing(store: Store) -> None:
    await Desk(store).watch(*NAMES)
    table = tables.endpoint.c
    async with store.db.connect() as connection:
        assert (await connection.scalars(select(table.name).where(among(table.id, ())))).all() == []
