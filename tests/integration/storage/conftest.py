"""The fixtures that the tests of storage share."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.storage.builders import Store, endpoint


@pytest.fixture
def store(db: AsyncEngine) -> Store:
    return Store(db)


@pytest.fixture
async def watched(store: Store) -> Store:
    """A store that watches one endpoint, `shop`."""
    await store.watch(endpoint())
    return store
