"""How many endpoints stand how."""

from checks.model import Verdict
from prober.storage import endpoints
from prober.storage.census import census
from tests.integration.storage.builders import Store, endpoint


async def test_endpoints_without_a_report_are_unknown_and_disabled_ones_do_not_count(store: Store) -> None:
    await endpoints.sync(
        store.db, (endpoint(name="shop"), endpoint(name="search"), endpoint(name="off", enabled=False))
    )
    found = await census(store.db)
    assert (found.names, found.in_incident) == (frozenset({"shop", "search"}), frozenset())
    assert found.verdicts == {Verdict.UNKNOWN: 2}
    await endpoints.sync(store.db, (endpoint(name="search"),))
    assert (await census(store.db)).names == frozenset({"search"})
