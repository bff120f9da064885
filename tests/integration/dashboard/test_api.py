"""The API as programs use it: lists in pieces, conditions, bounds, and what people change with its row of the audit
log."""

import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from dashboard.api.bodies import MOST_BYTES
from prober.storage import audit, rollups, workers
from prober.storage.in_force import InForce
from prober.storage.workers import Greeting
from tests.integration.dashboard.conftest import SetClock

OURS = {"name": "ours", "url": "https://ours.example/mcp"}
JSON = {"content-type": "application/json"}
SHORT = "it has at least 1 character"


async def pieces(client: httpx.AsyncClient, address: str, key: str, limit: int) -> list[Any]:
    """All rows of a list, read piece by piece."""
    rows: list[Any] = []
    cursor = ""
    while True:
        piece = (await client.get(f"{address}?limit={limit}{cursor}")).json()
        assert len(piece[key]) <= limit
        rows += piece[key]
        if piece["next"] is None:
            return rows
        cursor = f"&cursor={piece['next']}"


async def open_incident(client: httpx.AsyncClient) -> str:
    (row, *_) = (await client.get("/api/incidents?open=true&endpoint=billing adapter")).json()["incidents"]
    return str(row["id"])


@pytest.mark.usefixtures("told")
async def test_a_list_in_pieces_is_the_same_list(client: httpx.AsyncClient) -> None:
    for address, key in (
        ("/api/endpoints/search/probes", "probes"),
        ("/api/incidents", "incidents"),
        ("/api/endpoints", "endpoints"),
    ):
        whole = (await client.get(f"{address}?limit=200")).json()[key]
        assert len(whole) > 1
        assert await pieces(client, address, key, 1) == whole
    notices = (await client.get("/api/notices")).json()["notices"]
    assert await pieces(client, "/api/notices", "notices", 1) == notices
    for cursor in ("x", "WzFd", "e30", "%00", "W251bGwsbnVsbF0"):
        for address in ("/api/incidents", "/api/audit", "/api/endpoints/search/probes", "/api/endpoints"):
            answer = await client.get(f"{address}?cursor={cursor}")
            assert answer.status_code in ((200, 422) if address == "/api/audit" else (422,)), (address, cursor)


@pytest.mark.usefixtures("told")
async def test_a_piece_of_the_fleet_counts_all_that_are_asked_for(client: httpx.AsyncClient) -> None:
    whole = (await client.get("/api/endpoints")).json()
    piece = (await client.get("/api/endpoints?limit=2")).json()
    assert piece["counts"] == whole["counts"]
    assert sum(whole["counts"].values()) > 2
    names = [each["name"] for each in whole["endpoints"]]
    assert (whole["next"], names) == (None, sorted(names))
    rest = (await client.get(f"/api/endpoints?limit=1000&cursor={piece['next']}")).json()
    assert [each["name"] for each in piece["endpoints"] + rest["endpoints"]] == names
    assert rest["counts"] == whole["counts"]


@pytest.mark.usefixtures("told")
async def test_the_fleet_is_filtered_by_verdict_label_and_words(client: httpx.AsyncClient) -> None:
    async def names(query: str) -> list[str]:
        return [each["name"] for each in (await client.get(f"/api/endpoints?{query}")).json()["endpoints"]]

    assert await names("verdict=down") == ["billing adapter"]
    assert await names("label=env=production&label=team=commerce") == ["orders"]
    assert await names("search=STREAM.example") == ["reports-stream"]
    assert await names("verdict=down&search=orders") == []
    assert await names("owner=api&search=orders") == []
    assert await names("owner=file&search=orders") == ["orders"]
    assert (await client.get("/api/endpoints?label=x")).status_code == 422


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("address", "faults"),
    [
        ("endpoints?verdikt=down", {"verdikt": "did you mean verdict?"}),
        ("incidents?lmit=1&sevrity=x", {"lmit": "did you mean limit?", "sevrity": "did you mean severity?"}),
        ("incidents?x=1", {"x": "known here: open, endpoint, severity, limit, cursor"}),
        ("prober?x=1", {"x": "leave it out: there are no parameters here"}),
        ("endpoints?verdict=dwn", {"verdict.0": "write 'up', 'degraded', 'down' or 'unknown'"}),
        ("incidents?limit=0", {"limit": "write 1 or more"}),
        (
            "incidents?limit=2e9&open=maybe",
            {"limit": "write digits alone, without quotes in JSON", "open": "write true or false"},
        ),
        ("incidents/nothing", {"incident_id": "take the one that a list of this API holds"}),
    ],
)
async def test_a_parameter_that_cannot_be_used_is_told_with_the_way_out(
    client: httpx.AsyncClient, address: str, faults: dict[str, str]
) -> None:
    answer = await client.get(f"/api/{address}")
    assert answer.status_code == 422
    assert {each["place"]: each["way_out"] for each in answer.json()["errors"]} == faults


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize(
    ("address", "body", "faults"),
    [
        ("deploys", {"endpoint": ["orders"]}, {"endpoint": "did you mean endpoints?"}),
        ("deploys", {"endpoints": "orders"}, {"endpoints": 'write ["one", "two"]'}),
        ("deploys", {"endpoints": [""], "lasts_s": 5}, {"endpoints.0": SHORT, "lasts_s": "write 60 or more"}),
        ("deploys", {"labels": 1}, {"labels": 'write {"name": value}'}),
        ("maintenance", {"all": 3}, {"all": "write true or false"}),
        ("maintenance", {"all": True}, {"": "give one of ends_at and lasts_s"}),
        ("maintenance", {"all": True, "ends_at": "2099-01-01T00:00:00Z", "lasts_s": 60},
         {"": "give one of ends_at and lasts_s"}),
        ("maintenance", {"all": True, "lasts_s": 2592001}, {"lasts_s": "write 2592000 or less"}),
        ("maintenance", {"ends_at": "2026-01-01T00:00"}, {"ends_at": "write one such as 2026-11-20T18:00:00Z"}),
        ("maintenance", {"ends_at": "2099-01-01T00:00:00Z"}, {"": "give endpoints, or labels, or all: true"}),
        ("endpoints/search/probe", {"profile": "quick"}, {"profile": "write 'standard' or 'full'"}),
        ("endpoints", [], {"": 'write {"name": value}'}),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_used_is_told_with_the_way_out(
    client: httpx.AsyncClient, address: str, body: Any, faults: dict[str, str]
) -> None:
    answer = await client.post(f"/api/{address}", json=body)
    assert answer.status_code == 422
    assert {each["place"]: each["way_out"] for each in answer.json()["errors"]} == faults


@pytest.mark.usefixtures("db")
async def test_what_is_no_json_no_operation_and_no_method_is_said(client: httpx.AsyncClient) -> None:
    (fault,) = (await client.post("/api/endpoints", content=b'{"name" 1}', headers=JSON)).json()["errors"]
    assert (fault["place"], fault["message"]) == ("", "is no JSON: Expecting ':' delimiter at character 8")
    (fault,) = (await client.post("/api/endpoints")).json()["errors"]
    assert (fault["message"], fault["way_out"]) == ("is missing", "send a JSON object")
    deep = await client.post("/api/endpoints", content=b"[" * 60_000, headers=JSON)
    assert deep.json()["detail"].startswith("The body cannot be read as JSON: it is nested too deeply")
    nothing = await client.get("/api/endpoint")
    assert (nothing.status_code, "/api/openapi.json" in nothing.json()["detail"]) == (404, True)
    other = await client.patch("/api/endpoints")
    assert (other.status_code, other.headers["allow"]) == (405, "GET, POST")
    assert other.json()["detail"] == "This address takes GET and POST."


@pytest.mark.usefixtures("told")
async def test_what_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/api/endpoints/orders/probes")
    again = await client.get("/api/endpoints/orders/probes", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = await client.get("/api/endpoints/search/probes", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


async def test_an_endpoint_is_written_read_changed_under_a_condition_and_removed(
    client: httpx.AsyncClient, db: AsyncEngine
) -> None:
    added = await client.post("/api/endpoints", json=OURS)
    assert (added.status_code, added.headers["location"]) == (201, "/api/endpoints/ours")
    assert added.json() == {"name": "ours", "owner": "api", "entry": OURS}
    read = await client.get("/api/endpoints/ours/document")
    assert read.headers["etag"] == added.headers["etag"]
    assert (await client.get("/api/endpoints/ours")).json()["endpoint"]["owner"] == "api"
    condition = {"if-match": added.headers["etag"]}
    changed = await client.put("/api/endpoints/ours", json={"url": OURS["url"], "interval": "5m"}, headers=condition)
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] != added.headers["etag"]
    assert changed.json()["entry"] == {**OURS, "interval": "5m"}
    for method in ("put", "delete"):
        given = {"json": OURS} if method == "put" else {}
        late = await client.request(method, "/api/endpoints/ours", headers=condition, **given)  # type: ignore[arg-type]
        assert late.status_code == 412
    assert (await client.delete("/api/endpoints/ours", headers={"if-match": "*"})).status_code == 204
    assert (await client.delete("/api/endpoints/ours")).status_code == 404
    told = [(each.action, each.author) for each in await audit.newest(db)]
    assert told == [(f"endpoint.{what}", "somebody at the API") for what in ("remove", "change", "add")]


@pytest.mark.usefixtures("told")
async def test_what_the_file_keeps_is_shown_as_its_own_and_changed_there(client: httpx.AsyncClient) -> None:
    shown = (await client.get("/api/endpoints/search/document")).json()
    assert shown == {"name": "search", "owner": "file", "entry": None}
    refused = await client.delete("/api/endpoints/search")
    assert refused.status_code == 409
    assert refused.json()["detail"].startswith("The configuration file keeps search")


async def test_every_fault_of_an_entry_is_told_with_its_place(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/endpoints", json={"name": "ours", "url": "x", "sentinels": [{}], "intervall": 1})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["title"].startswith("Unprocessable")
    assert problem["status"] == 422
    faults = {each["place"]: each for each in problem["errors"]}
    assert set(faults) == {"url", "sentinels[0].tool", "intervall"}
    assert faults["intervall"]["way_out"] == "did you mean interval?"


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"x" * (MOST_BYTES + 1), JSON, 413),
        (b"name=ours", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{", JSON, 422),
        (b"[" * 60_000, JSON, 400),
        (b"[]", JSON, 422),
        (b'{"name": "a", "url": "https://a.example/", "fail_after": ' + b"9" * 5000 + b"}", JSON, 400),
        (b'{"name": "a", "url": "https://a.example/", "labels": {"a": "\\ud800\\u0000"}}', JSON, 422),
        (b'{"name": "a", "url": "https://a.example/", "\\ud800\\u0000": 1}', JSON, 422),
        (b'{"name": "a", "url": "https://a.example/", "interval": NaN}', JSON, 422),
        (
            b'{"name": "a", "url": "https://a.example/", "sentinels": [{"tool": "t", "arguments": {"a": '
            + b"[" * 900
            + b"]" * 900
            + b"}}]}",
            JSON,
            422,
        ),
        (
            b'{"name": "a", "url": "https://a.example/", "sentinels": [{"tool": "t", "arguments": {"a": 1e999}}]}',
            JSON,
            422,
        ),
    ],
)
async def test_odd_bodies_are_refused_in_the_shape_of_all_errors(
    client: httpx.AsyncClient, db: AsyncEngine, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await client.post("/api/endpoints", content=body, headers=headers)
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert await audit.newest(db) == []


@pytest.mark.usefixtures("db")
async def test_a_body_that_comes_in_pieces_without_a_length_is_bounded_too(client: httpx.AsyncClient) -> None:
    async def endless() -> Any:
        for _ in range(MOST_BYTES // 1024 + 1):
            yield b" " * 1024

    for method in ("POST", "PUT", "DELETE"):
        assert (await client.request(method, "/api/endpoints/a", content=endless(), headers=JSON)).status_code == 413


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize(
    "address", ["endpoints/%00", "endpoints/%ED%A0%80", "incidents?endpoint=%00", "audit?subject=%00"]
)
async def test_odd_addresses_find_nothing_and_break_nothing(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(f"/api/{address}")
    assert answer.status_code in (200, 404, 422)


async def test_an_incident_is_acknowledged_snoozed_and_talked_about(
    client: httpx.AsyncClient, told: AsyncEngine, clock: SetClock
) -> None:
    identity = await open_incident(client)
    address = f"/api/incidents/{identity}"
    until = (clock.now() + timedelta(hours=4)).isoformat()
    assert (await client.post(f"{address}/acknowledge")).json()["incident"]["acknowledged_by"] == "somebody at the API"
    assert (await client.post(f"{address}/snooze", json={"until": until})).json()["incident"]["snoozed_until"]
    assert (await client.post(f"{address}/snooze", json={"until": None})).json()["incident"]["snoozed_until"] is None
    past = await client.post(f"{address}/snooze", json={"until": "2020-01-01T00:00:00Z"})
    assert past.status_code == 422
    words = "it is the\r\nbilling <b>team</b>\u202e"
    assert (await client.post(f"{address}/comments", json={"words": words})).status_code == 201
    detail = (await client.get(address)).json()
    assert [each["words"] for each in detail["comments"]] == ["it is the\nbilling <b>team</b>\\u{202e}"]
    assert [each["kind"] for each in detail["transitions"]] == ["opened"]
    rows = [(each.action, each.subject, each.detail["incident"]) for each in await audit.newest(told)]
    assert rows == [
        (f"incident.{what}", "billing adapter", identity) for what in ("comment", "wake", "snooze", "acknowledge")
    ]
    assert (await client.get("/api/incidents/00000000-0000-0000-0000-000000000000")).status_code == 404


async def test_maintenance_is_planned_ended_and_for_all_only_where_it_says_so(
    client: httpx.AsyncClient, told: AsyncEngine, clock: SetClock
) -> None:
    ends = (clock.now() + timedelta(hours=1)).isoformat()
    assert (await client.post("/api/maintenance", json={"ends_at": ends})).status_code == 422
    nobody = await client.post("/api/maintenance", json={"endpoints": ["shp"], "ends_at": ends})
    assert (nobody.status_code, nobody.json()["detail"]) == (422, "No endpoint named shp is watched.")
    made = (await client.post("/api/maintenance", json={"all": True, "ends_at": ends, "reason": "move"})).json()["id"]
    deploy = await client.post("/api/deploys", json={"endpoints": ["orders"], "lasts_s": 300})
    assert deploy.status_code == 201
    assert {each["kind"] for each in (await client.get("/api/maintenance")).json()["single"]} == {
        "maintenance",
        "deploy",
    }
    assert (await client.delete(f"/api/maintenance/{made}")).status_code == 204
    assert (await client.delete(f"/api/maintenance/{made}")).status_code == 404
    rows = [(each.action, each.subject) for each in await audit.newest(told)]
    assert rows == [
        ("maintenance.end", "all endpoints"),
        ("deploy.mark", "orders"),
        ("maintenance.add", "all endpoints"),
    ]


async def test_maintenance_ends_at_a_moment_or_after_a_time(client: httpx.AsyncClient, told: AsyncEngine) -> None:
    late = "9999-12-31T23:00:00Z"
    for starts, status in (("2026-11-20T12:00:00Z", 422), (late, 422), (None, 201)):
        body = {"all": True, "starts_at": starts, "lasts_s": 5400}
        assert (await client.post("/api/maintenance", json=body)).status_code == status, starts
    ((row,), _) = (await client.get("/api/maintenance")).json().values()
    span = datetime.fromisoformat(row["ends_at"]) - datetime.fromisoformat(row["starts_at"])
    assert span == timedelta(minutes=90)


async def test_a_deploy_lasts_as_long_as_the_configuration_of_the_worker_says(
    client: httpx.AsyncClient, told: AsyncEngine, clock: SetClock
) -> None:
    says = InForce(deploy_mute_s=120.0)
    worker = Greeting(name="w", location="l", version="1", started_at=clock.now(), vitals={}, in_force=says)
    async with told.begin() as connection:
        await workers.greet(connection, worker)
    assert (await client.post("/api/deploys", json={"endpoints": ["orders"]})).status_code == 201
    ((row,), _) = (await client.get("/api/maintenance")).json().values()
    lasts = datetime.fromisoformat(row["ends_at"]) - datetime.fromisoformat(row["starts_at"])
    assert lasts == timedelta(minutes=2)


async def test_a_probe_is_asked_for_once_at_a_time(client: httpx.AsyncClient, told: AsyncEngine) -> None:
    asked = await client.post("/api/endpoints/search/probe", json={"profile": "full"})
    assert asked.status_code == 202
    state = (await client.get(asked.headers["location"])).json()
    assert (state["endpoint"], state["profile"], state["stage"]) == ("search", "full", "waiting")
    assert (await client.post("/api/endpoints/search/probe", json={})).status_code == 409
    assert (await client.post("/api/endpoints/nowhere/probe", json={})).status_code == 404
    assert [each.action for each in await audit.newest(told)] == ["probe.ask"]


@pytest.mark.usefixtures("told")
async def test_a_probe_that_is_asked_for_without_a_body_is_a_standard_one(client: httpx.AsyncClient) -> None:
    asked = await client.post("/api/endpoints/search/probe")
    assert asked.status_code == 202, asked.text
    assert asked.json()["profile"] == "standard"


@pytest.mark.usefixtures("told")
async def test_the_past_of_an_endpoint_is_there_for_charts(client: httpx.AsyncClient) -> None:
    found = (await client.get("/api/endpoints/search/series?hours=1")).json()
    assert len(found["points"]) == 14
    assert found["points"] == sorted(found["points"], key=lambda each: each["slot"])
    assert (await client.get("/api/endpoints/nowhere/series")).status_code == 404


async def test_figures_of_a_span_are_of_one_endpoint_of_some_or_of_all(
    client: httpx.AsyncClient, told: AsyncEngine, clock: SetClock
) -> None:
    await rollups.roll_up(told, lag_ms=250.0, reports_days=30, every_s=0.0)
    until = (clock.now() + timedelta(hours=1)).isoformat()

    async def found(*names: str, **more: str) -> dict[str, Any]:
        answer = await client.get("/api/figures", params={"endpoint": names, "last": until, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    whole, one, other = await found(), await found("billing adapter"), await found("search")
    both = await found("search", "billing adapter")
    assert (one["uptime"], one["down"] > 0, other["uptime"]) == (one["up"] / (one["up"] + one["down"]), True, 1.0)
    assert both["down"] == one["down"] + other["down"]
    assert both["warm"]["count"] == one["warm"]["count"] + other["warm"]["count"] > 0
    assert whole["down"] >= both["down"]
    before = await found("search", last=(clock.now() - timedelta(days=9)).isoformat())
    assert (before["uptime"], before["up"], before["warm"]["p95"]) == (None, 0, None)


@pytest.mark.usefixtures("told")
async def test_figures_of_nothing_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/figures?endpoint=search&endpoint=serch")).status_code == 422
    within_an_hour = "first=2026-11-01T10:05:00Z&last=2026-11-01T10:55:00Z"
    edges = ("first=0001-01-01T00:00:00%2B14:00", "last=9999-12-31T23:59:59-12:00", "first=2999-01-01T00:00:00Z")
    for span in (within_an_hour, *edges):
        assert (await client.get(f"/api/figures?{span}")).status_code == 422
    assert (await client.get("/api/figures")).status_code == 200


@pytest.mark.usefixtures("told")
async def test_the_description_names_what_each_operation_asks_for_and_every_reference_leads_somewhere(
    client: httpx.AsyncClient,
) -> None:
    described = (await client.get("/api/openapi.json")).json()
    assert described["paths"]["/api/audit"]["get"]["x-permission"] == "manage"
    assert described["paths"]["/api/endpoints/{name}"]["put"]["responses"]["412"]
    schemas = described["components"]["schemas"]
    for part in json.dumps(described).split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in schemas
