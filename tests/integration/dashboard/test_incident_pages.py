"""Incidents across the fleet, and what people do about one on its page."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.model import Verdict
from prober.incidents.notice import NoticeKind
from prober.incidents.rules import Severity
from prober.storage import audit, incident_log, outages
from prober.storage.incident_log import Overview, Place, Stretch
from tests.integration.dashboard.conftest import SetClock
from tests.integration.notifiers.stage import GONE, staged, tell
from tests.integration.storage.builders import Store
from tests.integration.storage.test_telling import Desk

OURS = {"Origin": "http://localhost"}
COPIES = text(
    "insert into incident (id, endpoint_id, verdict, severity, since, opened_at, ended_at, cause_summary, fix,"
    " report_id) select gen_random_uuid(), endpoint_id, verdict, severity, since - interval '2 hours',"
    " opened_at - interval '1 hour' - make_interval(mins => number / 20), opened_at - interval '10 minutes',"
    " cause_summary, fix, report_id from incident join endpoint on endpoint.id = endpoint_id,"
    " generate_series(1, 100) as each (number) where name = 'shop'"
)

LONG_OPEN = text(
    "update incident set since = since - interval '20 hours', opened_at = opened_at - interval '20 hours'"
    " from endpoint where endpoint.id = endpoint_id and name = 'search'"
)


async def desk_with(db: AsyncEngine, clock: SetClock, *names: str) -> Desk:
    desk = Desk(Store(db), now=clock.now())
    await desk.watch(*names)
    await desk.see(Verdict.DOWN, *names)
    return desk


async def field(client: httpx.AsyncClient, address: str) -> str:
    found = re.search(r'name="csrf" value="([^"]*)"', (await client.get(address)).text)
    assert found is not None
    return found[1]


async def the_incident(client: httpx.AsyncClient) -> str:
    found = re.findall(
        r'class="incident-link" href="(/incidents/[0-9a-f-]{36})"', (await client.get("/incidents")).text
    )
    return str(found[0])


async def test_incidents_of_a_stretch_of_time_are_found_by_what_they_are(db: AsyncEngine, clock: SetClock) -> None:
    await desk_with(db, clock, "shop", "search")
    now = clock.now() + timedelta(minutes=1)

    async def named(**changes: object) -> list[str]:
        wanted = Stretch(**{"since": now - timedelta(days=1), "until": now, **changes})
        return sorted(row.endpoint_name for row in (await incident_log.between(db, wanted))[0])

    assert await named() == ["search", "shop"]
    assert await named(named="SHO") == ["shop"]
    assert await named(named="%") == []
    assert await named(is_open=True) == ["search", "shop"]
    assert await named(is_open=False) == []
    assert await named(severity=Severity.INFO) == []
    assert await named(since=now - timedelta(days=9), until=now - timedelta(days=8)) == []


async def test_the_timeline_and_the_list_lead_to_an_incident(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    await desk_with(db, clock, "shop", "search")
    page = (await client.get("/incidents?window=24h&endpoint=shop")).text
    assert "2 open incidents" in page
    assert "1 incident from" in page
    assert page.count('class="timeline-row"') == 1
    assert (await client.get("/incidents?endpoint=nobody")).text.count('class="timeline-row"') == 0
    one = await client.get(await the_incident(client))
    assert one.status_code == 200
    assert "It opened (down" in one.text
    assert "is down" in one.text


async def test_an_incident_is_taken_in_hand_snoozed_and_commented_on_its_page(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    desk = await desk_with(db, clock, "shop")
    address = await the_incident(client)
    csrf = await field(client, address)
    answers = [
        await client.post(f"{address}/{what}", data={"csrf": csrf, **said}, headers=OURS)
        for what, said in (
            ("acknowledge", {}),
            ("snooze", {"until": "4h"}),
            ("comments", {"words": "rolled back <b>now</b>\nto 1.4.1"}),
        )
    ]
    assert [(each.status_code, each.headers["location"].partition("#")[0]) for each in answers] == [(303, address)] * 3
    page = (await client.get(address)).text
    assert "acknowledged by somebody at the dashboard" in page
    assert "End the snooze" in page
    assert "rolled back &lt;b&gt;now&lt;/b&gt;<br>to 1.4.1" in page
    assert f'action="{address}/acknowledge"' not in page
    assert (
        await client.post(f"{address}/snooze", data={"csrf": csrf, "until": "end"}, headers=OURS)
    ).status_code == 303
    assert "End the snooze" not in (await client.get(address)).text
    actions = [row.action for row in await audit.newest(db)]
    assert actions == ["incident.wake", "incident.comment", "incident.snooze", "incident.acknowledge"]
    await desk.see(Verdict.UP, "shop")
    over = await client.post(f"{address}/acknowledge", data={"csrf": csrf}, headers=OURS)
    assert over.status_code == 409
    assert "Take it in hand" not in (await client.get(address)).text


async def test_what_no_button_says_is_refused(client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock) -> None:
    await desk_with(db, clock, "shop")
    address = await the_incident(client)
    csrf = await field(client, address)
    for what, said, status in (
        ("snooze", {"until": "always"}, 422),
        ("comments", {"words": "  "}, 422),
    ):
        answer = await client.post(f"{address}/{what}", data={"csrf": csrf, **said}, headers=OURS)
        assert answer.status_code == status, what
    stranger = await client.post(
        f"{address}/acknowledge", data={"csrf": csrf}, headers={"Origin": "http://evil.example"}
    )
    assert stranger.status_code == 403


async def test_the_notices_of_an_incident_stand_with_every_try(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    await desk_with(db, clock, "shop")
    address = await the_incident(client)
    stages = await staged(db, "pager")
    stages.stages["pager"].failures = [GONE]
    await tell(db, NoticeKind.WORSENED, to=("pager",), about="shop", thread=UUID(address.rpartition("/")[2]))
    await stages.work()
    page = (await client.get(address)).text
    assert "1 try" in page
    assert "HTTP 404: no_service" in page
    assert f'<a href="{address}">shop worsened</a>' in (await client.get("/incidents")).text


async def test_there_is_no_page_of_an_incident_that_never_was(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/incidents/{uuid4()}")).status_code == 404
    assert (await client.get("/incidents/orders")).status_code == 404


async def test_an_incident_of_an_outage_names_it(client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock) -> None:
    await desk_with(db, clock, *(f"shop-{number}" for number in range(6)))
    page = (await client.get(await the_incident(client))).text
    assert "6 endpoints are failing together" in page


async def test_the_list_goes_on_page_by_page_and_the_time_axis_shows_all(
    client: httpx.AsyncClient, db: AsyncEngine, clock: SetClock
) -> None:
    await desk_with(db, clock, "shop", "search")
    async with db.begin() as connection:
        # A hundred older ones of the shop, many of which were opened in the same moment; the search is ill for longer.
        await connection.execute(COPIES)
        await connection.execute(LONG_OPEN)
    wanted, after, seen = Stretch(since=clock.now() - timedelta(days=1), until=clock.now()), None, []
    while True:
        rows, beyond = await incident_log.between(db, wanted, after=after, limit=7 if after else 2)
        seen += rows
        assert len(seen) + beyond == 102
        if not beyond:
            break
        after = Place.of(rows[-1])
    assert len({row.id for row in seen}) == 102
    assert [row.ended_at is None for row in seen] == [True] * 2 + [False] * 100
    assert [row.opened_at for row in seen[2:]] == sorted((row.opened_at for row in seen[2:]), reverse=True)
    found = await incident_log.overview(db, wanted)
    assert (found.number, found.endpoints, {each.of for each in found.spells}) == (102, 2, {101, 1})
    assert len(found.spells) == incident_log.MOST_SPELLS + 1

    address, links = "/incidents", []
    while address:
        page = (await client.get(address)).text
        assert "102 incidents from" in page
        assert page.count('class="timeline-row"') == 2
        links += re.findall(r'class="incident-link" href="([^"]*)"', page)
        following = re.search(r'<a href="([^"]*)" rel="next">[0-9]+ more incidents?', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert (len(links), len(set(links))) == (102, 102)


async def test_what_is_counted_and_tried_where_there_is_little(db: AsyncEngine, clock: SetClock) -> None:
    now = clock.now() + timedelta(minutes=1)
    wanted = Stretch(since=now - timedelta(days=1), until=now)
    assert await incident_log.overview(db, wanted) == Overview(number=0, endpoints=0, spells=())
    await desk_with(db, clock, "shop")
    rows, beyond = await incident_log.between(db, wanted)
    assert (len(rows), beyond) == (1, 0)
    assert await incident_log.still_open(db) == 1
    assert await incident_log.tries(db, [rows[0].id]) == {}
    assert await outages.known(db, UUID(int=1)) is None
