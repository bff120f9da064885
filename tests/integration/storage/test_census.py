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


async def test_the_newest_verdict_counts_and_an_open_incident_is_named(store: Store) -> None:
    await store.watch(endpoint(name="shop"), endpoint(name="search"))
    await store.probe("shop", Verdict.DOWN)
    await store.probe("search", Verdict.UP)
    await store.sql(
        "insert into incident (id, endpoint_id, verdict, severity, since, opened_at, ended_at, cause_summary, fix,"
        " report_id) select gen_random_uuid(), id, 'down', 'critical', now(), now(),"
        " case when name = 'search' then now() end, '', '', gen_random_uuid() from endpoint"
    )
    found = await census(store.db)
    assert found.verdicts == {Verdict.DOWN: 1, Verdict.UP: 1}
    assert found.in_incident == frozenset({"shop"})
