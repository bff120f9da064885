"""What only real connections show of the lab: instances that overlap, streams that clients leave or take up again."""

import asyncio
import json

import httpx

from prober.lab import Lab, chosen
from tests.integration.lab.test_lab_running import modern

ACCEPT = {"accept": "application/json, text/event-stream"}


async def opened(client: httpx.AsyncClient, url: str) -> dict[str, str]:
    """The headers of a fresh conversation of the handshake era."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    answer = await client.post(url, headers=ACCEPT, json=message("initialize", params))
    session = answer.headers.get("mcp-session-id")
    return {**ACCEPT, "mcp-protocol-version": "2025-11-25", **({"mcp-session-id": session} if session else {})}


def message(method: str, params: dict | None = None) -> dict:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}


async def test_a_session_in_one_instance_s_memory_is_lost_to_requests_at_once_and_to_no_others(
    client: httpx.AsyncClient,
) -> None:
    async with Lab(chosen(["session-lost-at-once"])) as lab:
        url = lab.url("session-lost-at-once")
        headers = await opened(client, url)
        one_by_one = [await client.post(url, headers=headers, json=message("tools/list")) for _ in range(3)]
        at_once = await asyncio.gather(
            *(client.post(url, headers=headers, json=message("tools/list")) for _ in range(4))
        )
    assert [each.status_code for each in one_by_one] == [200, 200, 200]
    assert sorted(each.status_code for each in at_once) == [200, 404, 404, 404]


async def test_a_session_is_lost_at_once_where_each_request_meets_a_new_instance(client: httpx.AsyncClient) -> None:
    async with Lab(chosen(["session-lost"])) as lab:
        url = lab.url("session-lost")
        answer = await client.post(url, headers=await opened(client, url), json=message("tools/list"))
    assert answer.status_code == 404


async def test_a_subscription_lasts_until_its_client_leaves(client: httpx.AsyncClient) -> None:
    listen = modern("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    async with Lab(chosen(["stateless-everything"])) as lab:
        url = lab.url("stateless-everything")
        async with client.stream("POST", url, **listen) as response:
            first = await anext(line async for line in response.aiter_lines() if line.startswith("data:"))
        assert json.loads(first[5:])["params"]["notifications"] == {"toolsListChanged": True}
        assert (await client.post(url, **modern("tools/list"))).status_code == 200


async def test_a_call_that_is_closed_early_is_answered_to_whoever_comes_back(client: httpx.AsyncClient) -> None:
    async with Lab(chosen(["handshake-polling"])) as lab:
        url = lab.url("handshake-polling")
        headers = await opened(client, url)
        call = message("tools/call", {"name": "add", "arguments": {"a": 2, "b": 3}})
        primed = (await client.post(url, headers=headers, json=call)).text
        event_id = primed.splitlines()[0].removeprefix("id: ")
        again = await client.get(url, headers={**headers, "accept": "text/event-stream", "last-event-id": event_id})
    assert "result" not in primed
    (answer,) = [json.loads(line[5:]) for line in again.text.splitlines() if line.startswith("data:")]
    assert answer["result"]["structuredContent"] == {"sum": 5}
