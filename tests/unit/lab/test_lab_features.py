"""What the lab's servers offer beside plain tool calls: arguments in headers, prompts, resources, tasks, subscriptions,
streams that are taken up again."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from prober.lab.http import Request, read_body
from prober.lab.servers.dual import DualServer
from prober.lab.servers.handshake import RESOURCE_NOT_FOUND, HandshakeServer
from prober.lab.servers.library import SHELVES
from prober.lab.servers.stateless import StatelessServer
from prober.lab.servers.tasks import EXTENSION, RELATED, TaskBoard
from prober.lab.servers.toolbox import ADD, GREET, Result, Tool, ToolFailed
from tests.unit.lab.messages import META, VERSION, Post, events_of, handshake, json_of, stateless

GUEST = " Zoë 世界"
GREETING = {"name": "greet", "arguments": {"name": GUEST, "times": 2, "loudly": False}}
MIRRORED = {
    "Mcp_Name": "greet",
    "Mcp_Param_Guest": f"=?base64?{base64.b64encode(GUEST.encode()).decode()}?=",
    "Mcp_Param_Times": "2",
    "Mcp_Param_Loudly": "false",
}
TAKES_TASKS = {f"{META}clientCapabilities": {"extensions": {EXTENSION: {}}}}
TASK_ADD = replace(ADD, task_support="optional")
NEEDS_TASK = replace(ADD, name="patient_add", task_support="required")
SUM = {"arguments": {"a": 2, "b": 3}}


@pytest.mark.parametrize("times", ["2", "2.0"])
async def test_arguments_are_mirrored_as_text_numbers_and_words(post: Post, times: str) -> None:
    call = stateless(post, "tools/call", GREETING, **{**MIRRORED, "Mcp_Param_Times": times})
    result = (await json_of(await StatelessServer(tools=[GREET])(call)))["result"]
    assert result["content"][0]["text"] == f"Hello, {GUEST} Hello, {GUEST}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"Mcp_Param_Guest": None},
        {"Mcp_Param_Guest": "Zoe"},
        {"Mcp_Param_Guest": "=?base64?%%%?="},
        {"Mcp_Param_Guest": "Zo\xeb"},
        {"Mcp_Param_Times": "3"},
        {"Mcp_Param_Times": "two"},
        {"Mcp_Param_Loudly": "False"},
    ],
)
async def test_a_header_that_contradicts_its_argument_is_refused(post: Post, wrong: dict[str, Any]) -> None:
    response = await StatelessServer(tools=[GREET])(stateless(post, "tools/call", GREETING, **{**MIRRORED, **wrong}))
    assert (response.status, (await json_of(response))["error"]["code"]) == (400, -32020)


async def test_an_argument_that_is_null_has_no_header(post: Post) -> None:
    params = {**GREETING, "arguments": {**GREETING["arguments"], "loudly": None}}
    server = StatelessServer(tools=[GREET])
    without = stateless(post, "tools/call", params, **{**MIRRORED, "Mcp_Param_Loudly": None})
    assert (await server(without)).status == 200
    assert (await server(stateless(post, "tools/call", params, **MIRRORED))).status == 400


async def test_the_list_says_which_arguments_are_mirrored(post: Post) -> None:
    listed = await json_of(await StatelessServer(tools=[GREET])(stateless(post, "tools/list")))
    properties = listed["result"]["tools"][0]["inputSchema"]["properties"]
    assert {name: each["x-mcp-header"] for name, each in properties.items()} == GREET.mirrored


@pytest.mark.parametrize(
    ("method", "params", "named", "member"),
    [
        ("prompts/list", {}, None, "prompts"),
        ("prompts/get", {"name": "summary"}, "summary", "messages"),
        ("resources/list", {}, None, "resources"),
        ("resources/templates/list", {}, None, "resourceTemplates"),
        ("resources/read", {"uri": "lab://orders/terms"}, "lab://orders/terms", "contents"),
    ],
)
async def test_what_the_library_holds_is_served_in_both_eras(
    post: Post, method: str, params: dict[str, Any], named: str | None, member: str
) -> None:
    modern = await json_of(await StatelessServer(library=SHELVES)(stateless(post, method, params, Mcp_Name=named)))
    server = HandshakeServer(library=SHELVES, has_sessions=False, streams=False)
    legacy = await json_of(await server(handshake(post, method, params)))
    assert modern["result"][member] == legacy["result"][member]
    assert ("ttlMs" in modern["result"]) is (method != "prompts/get")
    assert "ttlMs" not in legacy["result"]


@pytest.mark.parametrize("method", ["prompts/nope", "resources/nope", "nope"])
async def test_a_library_knows_its_own_methods_alone(post: Post, method: str) -> None:
    assert (await StatelessServer(library=SHELVES)(stateless(post, method))).status == 404


async def test_what_is_not_on_the_shelves_is_an_error_of_its_era(post: Post) -> None:
    read = {"uri": "lab://nowhere"}
    modern = await StatelessServer(library=SHELVES)(stateless(post, "resources/read", read, Mcp_Name=read["uri"]))
    library = replace(SHELVES, resource_not_found=RESOURCE_NOT_FOUND)
    server = HandshakeServer(library=library, has_sessions=False, streams=False)
    legacy = await server(handshake(post, "resources/read", read))
    assert [(await json_of(each))["error"]["code"] for each in (modern, legacy)] == [-32602, -32002]
    unknown = await server(handshake(post, "prompts/get", {"name": "nope"}))
    assert (await json_of(unknown))["error"]["code"] == -32602


async def test_capabilities_are_what_is_served_unless_told_otherwise(post: Post) -> None:
    async def declared(**settings: Any) -> Any:
        return (await json_of(await StatelessServer(**settings)(stateless(post, "server/discover"))))["result"]

    everything = await declared(library=SHELVES, board=TaskBoard(), announces=True)
    assert everything["capabilities"] == {
        "tools": {"listChanged": True},
        "prompts": {"listChanged": True},
        "resources": {"listChanged": True},
        "extensions": {EXTENSION: {}},
    }
    assert (await declared())["capabilities"] == {"tools": {}}
    assert (await declared(declares={"prompts": {}}))["capabilities"] == {"prompts": {}}


async def test_a_handshake_declares_tasks_from_their_revision_on(post: Post) -> None:
    server = HandshakeServer(board=TaskBoard(), has_sessions=False, streams=False)

    async def declared(version: str) -> Any:
        answer = await json_of(await server(handshake(post, "initialize", {"protocolVersion": version})))
        return "tasks" in answer["result"]["capabilities"]

    assert [await declared(each) for each in ("2025-06-18", "2025-11-25")] == [False, True]


async def test_an_unknown_page_is_kept_out_and_a_known_one_is_not(post: Post) -> None:
    for server in (StatelessServer, HandshakeServer):
        page = post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, Origin="https://orders.example.com")
        assert (await server()(page)).status == 403
        assert (await server(origins=frozenset({"https://orders.example.com"}))(page)).status != 403


@pytest.mark.parametrize(
    ("version", "status", "code"), [("2025-11-25", 400, -32020), (None, 400, -32020), (VERSION, 200, None)]
)
async def test_metadata_in_the_body_belong_to_the_stateless_era_whatever_the_header_says(
    post: Post, version: Any, status: int, code: int | None
) -> None:
    response = await DualServer()(stateless(post, "tools/list", MCP_Protocol_Version=version))
    assert (response.status, (await json_of(response)).get("error", {}).get("code")) == (status, code)


class Extension:
    """Calls of a client that can take tasks, and one that cannot."""

    def __init__(self, post: Post, server: Any) -> None:
        self._post = post
        self._server = server

    async def __call__(self, method: str, params: Any, *, takes_tasks: bool = True, **headers: Any) -> Any:
        named = {"Mcp_Name": params.get("name") or params.get("taskId"), **headers}
        meta = TAKES_TASKS if takes_tasks else {}
        response = await self._server(stateless(self._post, method, params, meta=meta, **named))
        return response.status, await json_of(response)


async def until_done(poll: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """What `poll` finds once the task has had its turns of the event loop."""
    for _ in range(10):
        await asyncio.sleep(0)
    return await poll()


async def test_the_extension_gives_a_handle_and_then_the_result(post: Post) -> None:
    ask = Extension(post, StatelessServer(tools=[TASK_ADD], board=TaskBoard()))
    _, created = await ask("tools/call", {"name": "add", **SUM})
    handle = created["result"]
    assert (handle["resultType"], handle["status"], handle["ttlMs"]) == ("task", "working", 60_000)

    async def poll() -> dict[str, Any]:
        return (await ask("tasks/get", {"taskId": handle["taskId"]}))[1]["result"]

    done = await until_done(poll)
    assert (done["resultType"], done["status"]) == ("complete", "completed")
    assert done["result"]["structuredContent"] == {"sum": 5}
    _, cancelled = await ask("tasks/cancel", {"taskId": handle["taskId"]})
    assert cancelled["result"].keys() == {"resultType", "_meta"}
    assert (await poll())["status"] == "completed"


async def test_the_extension_is_only_for_clients_that_declare_it(post: Post) -> None:
    ask = Extension(post, StatelessServer(tools=[TASK_ADD, NEEDS_TASK], board=TaskBoard()))
    status, plain = await ask("tools/call", {"name": "add", **SUM}, takes_tasks=False)
    assert (status, plain["result"]["resultType"]) == (200, "complete")
    for method, params in (("tools/call", {"name": "patient_add", **SUM}), ("tasks/get", {"taskId": "t"})):
        status, refused = await ask(method, params, takes_tasks=False)
        assert (status, refused["error"]["code"]) == (400, -32021)
        assert refused["error"]["data"] == {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}


async def test_the_extension_names_tasks_that_are_not_there_and_methods_that_it_lacks(post: Post) -> None:
    ask = Extension(post, StatelessServer(board=TaskBoard()))
    assert [
        (await ask(method, {"taskId": "nope"}))[1]["error"]["code"]
        for method in ("tasks/get", "tasks/cancel", "tasks/update", "tasks/list", "tasks/result")
    ] == [-32602, -32602, -32602, -32601, -32601]
    status, unnamed = await ask("tasks/get", {"taskId": "nope"}, Mcp_Name=None)
    assert (status, unnamed["error"]["code"]) == (400, -32020)


class Core:
    """Calls within a conversation of revision 2025-11-25."""

    def __init__(self, post: Post, server: Any) -> None:
        self._post = post
        self._server = server

    async def __call__(self, method: str, params: Any = None, version: str = "2025-11-25") -> Any:
        request = handshake(self._post, method, params, MCP_Protocol_Version=version)
        return await json_of(await self._server(request))


async def fail(arguments: Any) -> Any:
    raise ToolFailed("out of paper")
    yield


async def wait(arguments: Any) -> Any:
    await asyncio.Event().wait()
    yield Result("never", {})


def core(post: Post, *tools: Tool) -> Core:
    return Core(post, HandshakeServer(tools=tools, board=TaskBoard(), has_sessions=False, streams=False))


async def test_the_core_of_2025_11_25_gives_a_task_its_state_and_the_result(post: Post) -> None:
    ask = core(post, TASK_ADD)
    created = (await ask("tools/call", {"name": "add", **SUM, "task": {"ttl": 1000}}))["result"]
    task = created["task"]
    assert (task["status"], task["pollInterval"], created.keys()) == ("working", 100, {"task"})
    result = (await ask("tasks/result", {"taskId": task["taskId"]}))["result"]
    assert result["structuredContent"] == {"sum": 5}
    assert result["_meta"] == {RELATED: {"taskId": task["taskId"]}}
    (listed,) = (await ask("tasks/list"))["result"]["tasks"]
    assert listed == (await ask("tasks/get", {"taskId": task["taskId"]}))["result"]
    assert listed["status"] == "completed"
    assert (await ask("tasks/cancel", {"taskId": task["taskId"]}))["error"]["code"] == -32602


async def test_a_tool_that_fails_fails_its_task_in_the_core_and_completes_it_in_the_extension(post: Post) -> None:
    failing = replace(TASK_ADD, run=fail)
    ask = core(post, failing)
    task = (await ask("tools/call", {"name": "add", "task": {}}))["result"]["task"]
    assert (await ask("tasks/result", {"taskId": task["taskId"]}))["result"]["isError"] is True
    assert (await ask("tasks/get", {"taskId": task["taskId"]}))["result"]["status"] == "failed"
    extension = Extension(post, StatelessServer(tools=[failing], board=TaskBoard()))
    handle = (await extension("tools/call", {"name": "add"}))[1]["result"]["taskId"]

    async def poll() -> dict[str, Any]:
        return (await extension("tasks/get", {"taskId": handle}))[1]["result"]

    done = await until_done(poll)
    assert (done["status"], done["result"]["isError"]) == ("completed", True)


async def test_a_cancelled_task_stays_so(post: Post) -> None:
    ask = core(post, replace(TASK_ADD, run=wait))
    task = (await ask("tools/call", {"name": "add", "task": {}}))["result"]["task"]
    cancelled = (await ask("tasks/cancel", {"taskId": task["taskId"]}))["result"]
    assert cancelled["status"] == "cancelled"
    assert (await ask("tasks/result", {"taskId": task["taskId"]}))["error"]["code"] == -32603


async def test_a_tool_without_a_result_fails_its_task_with_the_error_that_the_call_would_have_had(post: Post) -> None:
    async def nothing(arguments: Any) -> Any:
        return
        yield

    ask = Extension(post, StatelessServer(tools=[replace(TASK_ADD, run=nothing)], board=TaskBoard()))
    handle = (await ask("tools/call", {"name": "add"}))[1]["result"]["taskId"]

    async def poll() -> dict[str, Any]:
        return (await ask("tasks/get", {"taskId": handle}))[1]["result"]

    done = await until_done(poll)
    assert (done["status"], done["error"]["code"]) == ("failed", -32603)


@pytest.mark.parametrize(
    ("tool", "params", "code"),
    [
        (ADD, {"name": "add", "task": {}}, -32601),
        (NEEDS_TASK, {"name": "patient_add"}, -32601),
        (ADD, {"name": "nope", "task": {}}, -32602),
    ],
)
async def test_the_core_refuses_the_wrong_way_to_call_a_tool(
    post: Post, tool: Any, params: dict[str, Any], code: int
) -> None:
    assert (await core(post, tool)("tools/call", {**SUM, **params}))["error"]["code"] == code


async def test_an_earlier_revision_ignores_the_wish_for_a_task(post: Post) -> None:
    ask = core(post, TASK_ADD)
    answer = await ask("tools/call", {"name": "add", **SUM, "task": {}}, version="2025-06-18")
    assert answer["result"]["structuredContent"] == {"sum": 5}
    assert (await ask("tasks/list", version="2025-06-18"))["error"]["code"] == -32601


async def listened(post: Post, server: Any, wanted: Any, **meta: Any) -> Any:
    return await server(stateless(post, "subscriptions/listen", {"notifications": wanted}, meta=meta))


async def test_a_subscription_is_acknowledged_as_far_as_changes_are_announced(post: Post) -> None:
    wanted = {"toolsListChanged": True, "promptsListChanged": True, "resourceSubscriptions": ["lab://a"], "x": True}
    stream = (await listened(post, StatelessServer(announces=True), wanted)).body
    told = json.loads((await anext(stream)).decode().split("data: ")[1])
    assert told["method"] == "notifications/subscriptions/acknowledged"
    assert told["params"]["notifications"] == {"toolsListChanged": True}
    assert told["params"]["_meta"] == {f"{META}subscriptionId": "p1"}
    await stream.aclose()


async def test_a_server_that_cannot_stream_ends_a_subscription_with_its_result(post: Post) -> None:
    told, ended = await events_of(await listened(post, StatelessServer(streams=False), {"toolsListChanged": True}))
    assert told["params"]["notifications"] == {}
    assert (ended["id"], ended["result"]["resultType"]) == ("p1", "complete")
    assert ended["result"]["_meta"][f"{META}subscriptionId"] == "p1"


@pytest.mark.parametrize(("wanted", "code"), [(None, -32602), ({"taskIds": ["t"]}, -32021)])
async def test_a_subscription_that_cannot_be_is_refused(post: Post, wanted: dict[str, Any] | None, code: int) -> None:
    response = await listened(post, StatelessServer(board=TaskBoard()), wanted)
    assert (response.status, (await json_of(response))["error"]["code"]) == (400, code)


async def test_a_call_whose_stream_is_closed_early_is_answered_by_get(post: Post) -> None:
    server = HandshakeServer(polls=True, has_sessions=False)
    call = handshake(post, "tools/call", {"name": "add", **SUM}, MCP_Protocol_Version="2025-11-25")
    priming = (await read_body((await server(call)).body)).decode()
    identity, retry, data = priming.splitlines()[:3]
    assert (retry, data) == ("retry: 100", "data: ")

    def resume(event_id: str) -> Request:
        return Request(method="GET", target="/mcp", headers=(("Last-Event-ID", event_id),))

    event_id = identity.removeprefix("id: ")
    (answer,) = await events_of(await server(resume(event_id)))
    assert answer["result"]["structuredContent"] == {"sum": 5}
    assert await events_of(await server(resume(event_id))) == []


async def test_other_answers_of_a_polling_server_come_on_their_own_primed_stream(post: Post) -> None:
    server = HandshakeServer(polls=True)
    opening = await server(handshake(post, "initialize", {"protocolVersion": "2025-11-25"}))
    session = opening.header("mcp-session-id")
    body = (await read_body((await server(handshake(post, "ping", Mcp_Session_Id=session))).body)).decode()
    ids = [line.rpartition("-")[2] for line in body.splitlines() if line.startswith("id: ")]
    assert ids == ["0", "1"]
    stranger = Request(method="GET", target="/mcp", headers=(("Last-Event-ID", "x-0"),))
    assert (await server(stranger)).status == 400


async def test_a_revision_before_polling_and_a_get_without_an_event_are_served_as_ever(post: Post) -> None:
    server = HandshakeServer(polls=True, has_sessions=False)
    older = await server(handshake(post, "ping", MCP_Protocol_Version="2025-06-18"))
    assert b"id: " not in (await read_body(older.body))[:20]
    assert (await server(Request(method="GET", target="/mcp"))).header("allow") == "POST, GET"
