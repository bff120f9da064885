"""A probe on its page: evidence in place, the way to the log, the chapter of each check."""

from dataclasses import replace
from datetime import timedelta

import httpx
from markupsafe import escape
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.dashboard.conftest import SetClock
from tests.integration.dashboard.stories import FLEET, Story, tell

ADAPTER = FLEET[1]


async def shown(client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock, story: Story) -> str:
    await tell(db, [replace(story, past=story.past[-3:])], clock.now() - timedelta(seconds=1))
    endpoint = (await client.get("/api/endpoints/billing%20adapter")).json()["endpoint"]
    return (await client.get(f"/probes/{endpoint['last_probe_id']}")).text


async def test_evidence_is_marked_where_it_was_seen_and_links_lead_there_and_back(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    page = await shown(client, db, clock, ADAPTER)
    for number in (1, 2):
        assert page.count(f'id="seen-{number}"') == 1
        assert f'href="#seen-{number}"' in page
        assert f'id="d-adapter-missing-proof-{number}"' in page
        assert f'href="#d-adapter-missing-proof-{number}"' in page
    assert '<mark class="proof"><span class="proof-place" id="seen-1"></span>Hello from Lambda!<a' in page
    assert "evidence 1, 2" in page
    assert 'Part of <a href="/incidents/' in page


async def test_what_is_wrong_stands_once_and_before_what_was_sent(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    page = await shown(client, db, clock, ADAPTER)
    assert page.index('id="diagnoses"') < page.index('id="exchanges"') < page.index('id="checks"')
    assert ADAPTER.diagnosis is not None
    assert page.count(escape(ADAPTER.diagnosis.summary)) == 1


async def test_a_probe_of_a_named_function_leads_to_its_log(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    named = replace(ADAPTER, endpoint=replace(ADAPTER.endpoint, function="billing"))
    page = await shown(client, db, clock, named)
    assert 'href="https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2' in page
    assert "its log in Logs Insights" in page
    assert "Name the Lambda function" not in page


async def test_without_a_function_the_page_says_what_is_missing(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    page = await shown(client, db, clock, ADAPTER)
    assert "Name the Lambda function in the endpoint&#39;s configuration" in page
    assert "console.aws.amazon.com" not in page
    assert 'href="https://modelcontextprotocol.io/specification/2026-07-28/server/tools#listing-tools"' in page
    assert "Send it again with curl" in page
