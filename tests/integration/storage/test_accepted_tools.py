"""The accepted list of tools: the first that probes agree on, then what a person accepts."""

import pytest

from checks.inventory import Inventory, inventory_of
from checks.tool_memory import Reading, ToolMemory, after_probe
from prober.storage import accepted_tools
from prober.storage.accepted_tools import FIRST_SEEN, Accepted, NoSuchEndpoint, NotAccepted
from tests.integration.storage.builders import Store, endpoint, record_on, report_on

OLD = inventory_of([{"name": "get_order", "inputSchema": {"type": "object", "required": ["b", "a"]}, "x": 1}])
NEW = inventory_of(
    [{"name": "get_order"}, {"name": "search", "description": "Zoë\x00\ud800", "annotations": {"a": 1e300}}]
)


async def read(store: Store, *lists: Inventory | None, name: str = "shop", version: str | None = None) -> None:
    """Probe the endpoint once for each list, as a worker does."""
    for listed in lists:
        claim = await store.claim_one(name)
        accepted = claim.history.accepted and claim.history.accepted.fingerprint
        reading = Reading(
            at=claim.slot,
            version=version,
            fingerprint=listed.fingerprint if listed else None,
            inventory=listed if listed and listed.fingerprint != accepted else None,
        )
        memory = after_probe(claim.history.tools, reading, accepted=accepted)
        await store.save(report_on(claim), claim, tools=memory)


async def accept(store: Store, name: str, *, by: str, fingerprint: str | None = None) -> Accepted:
    async with store.db.begin() as connection:
        return await accepted_tools.accept(connection, name, by=by, fingerprint=fingerprint)


async def test_the_first_list_that_three_probes_agree_on_is_accepted(watched: Store) -> None:
    await read(watched, OLD, NEW, OLD)
    assert (await accepted_tools.known(watched.db, "shop")).accepted is None

    await read(watched, OLD)

    lists = await accepted_tools.known(watched.db, "shop")
    assert (lists.accepted, lists.accepted_by) == (OLD, FIRST_SEEN)
    assert lists.accepted_at is not None
    claim = await watched.claim_one()
    assert claim.history.accepted == OLD
    assert claim.history.tools.fingerprints == tuple(each.fingerprint for each in (OLD, NEW, OLD, OLD))


async def test_a_later_list_waits_for_somebody_to_accept_it(watched: Store) -> None:
    await read(watched, OLD, OLD, OLD, NEW, NEW, NEW)
    lists = await accepted_tools.known(watched.db, "shop")
    assert (lists.accepted, lists.latest, lists.candidate) == (OLD, NEW, NEW)

    assert await accept(watched, "shop", by="dashboard") == Accepted(inventory=NEW, is_news=True)

    after = await accepted_tools.known(watched.db, "shop")
    assert (after.accepted, after.accepted_by, after.candidate) == (NEW, "dashboard", None)
    assert after.accepted_at is not None
    assert lists.accepted_at is not None
    assert after.accepted_at > lists.accepted_at
    assert (await watched.claim_one()).history.accepted == NEW


async def test_what_a_server_writes_comes_back_as_it_was_kept(watched: Store) -> None:
    await read(watched, NEW, NEW, NEW)

    found = (await accepted_tools.known(watched.db, "shop")).accepted

    assert found is not None
    assert found.fingerprint == NEW.fingerprint
    assert [each.fingerprint for each in found.tools] == [each.fingerprint for each in NEW.tools]
    assert dict(found.tools[1].definition or {})["description"] == "Zoë\\u0000\\ud800"


async def test_accepting_it_again_changes_nothing(watched: Store) -> None:
    await read(watched, OLD, OLD, OLD)
    before = await accepted_tools.known(watched.db, "shop")

    as_before = Accepted(inventory=OLD, is_news=False)
    assert await accept(watched, "shop", by="me") == as_before
    assert await accept(watched, "shop", by="me", fingerprint=OLD.fingerprint) == as_before

    assert await accepted_tools.known(watched.db, "shop") == before


async def test_a_list_that_was_read_once_can_be_accepted_by_its_fingerprint(watched: Store) -> None:
    await read(watched, OLD, OLD, OLD, NEW)

    assert (await accepted_tools.known(watched.db, "shop")).candidate == NEW
    assert await accept(watched, "shop", by="me", fingerprint=NEW.fingerprint) == Accepted(inventory=NEW, is_news=True)


async def test_a_list_that_nobody_read_cannot_be_accepted(watched: Store) -> None:
    with pytest.raises(NotAccepted, match="no list of its tools has been read yet"):
        await accept(watched, "shop", by="me")
    await read(watched, OLD, OLD, OLD, NEW)
    with pytest.raises(NotAccepted, match=f"fingerprint 0123456789abcdef; the newest is {NEW.fingerprint}"):
        await accept(watched, "shop", by="me", fingerprint="0123456789abcdef")
    with pytest.raises(NoSuchEndpoint, match="nowhere"):
        await accept(watched, "nowhere", by="me")


async def test_another_server_under_the_same_name_begins_anew(watched: Store) -> None:
    await read(watched, OLD, OLD, OLD)

    await watched.watch(endpoint(url="https://other.example/mcp"))

    assert await accepted_tools.known(watched.db, "shop") == accepted_tools.ToolLists()
    await read(watched, NEW, NEW, NEW)
    assert (await accepted_tools.known(watched.db, "shop")).accepted == NEW


async def test_a_changed_setting_keeps_what_was_accepted(watched: Store) -> None:
    await read(watched, OLD, OLD, OLD)

    await watched.watch(endpoint(timeout_s=7.0))

    assert (await accepted_tools.known(watched.db, "shop")).accepted == OLD


async def test_deploys_are_remembered(watched: Store) -> None:
    await read(watched, OLD, version="1")
    await read(watched, OLD, version="2")

    (deploy,) = (await watched.claim_one()).history.tools.deploys

    assert deploy.what == "version 1 → 2"
    assert deploy.at.tzinfo is not None


async def test_what_another_release_wrote_is_forgotten(watched: Store) -> None:
    await read(watched, OLD, OLD, OLD)
    await watched.sql("""update endpoint_state set tool_memory = '{"fingerprints": 7}'""")
    await watched.sql("""update accepted_tools set tools = '[{"title": "x"}]'""")

    claim = await watched.claim_one()

    assert (claim.history.tools, claim.history.accepted) == (ToolMemory(), None)


async def test_a_probe_that_reads_nothing_new_leaves_what_is_remembered(watched: Store) -> None:
    await read(watched, OLD, OLD, OLD, OLD, OLD, OLD)
    before = await watched.sql("select tool_memory from endpoint_state")
    claim = await watched.claim_one()
    assert record_on(claim).state["tool_memory"] is None

    await watched.save(report_on(claim), claim)

    assert await watched.sql("select tool_memory from endpoint_state") == before
