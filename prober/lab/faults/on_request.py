"""Faults of what is asked only where the owner wants it: tasks and subscriptions. And of what nobody asked for."""

from collections.abc import Callable
from typing import Any, Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import ADD, TASK_ADD, stateless_with, streaming
from prober.lab.http import Handler
from prober.lab.scenario import EndpointHints, Front, Scenario
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer
from prober.lab.servers.tasks import TaskBoard

TASKS: Final[EndpointHints] = {"sentinels": [ADD], "on_request": ["tasks"]}
ASKING: Final = {
    "resultType": "input_required",
    "inputRequests": {
        "region": {
            "method": "elicitation/create",
            "params": {
                "mode": "form",
                "message": "Which region?",
                "requestedSchema": {"type": "object", "properties": {"region": {"type": "string"}}},
            },
        }
    },
}
HANDLE: Final = {
    "resultType": "task",
    "taskId": "786512e2",
    "status": "working",
    "createdAt": "2026-11-20T12:00:00Z",
    "lastUpdatedAt": "2026-11-20T12:00:00Z",
    "ttlMs": 60_000,
    "pollIntervalMs": 100,
}


def _stateless(**changes: bad.Change) -> Callable[[], Handler]:
    """A server with tasks, what it says of them changed."""
    return _changed(lambda: StatelessServer(tools=(TASK_ADD,), board=TaskBoard()), changes)


def _handshake(**changes: bad.Change) -> Callable[[], Handler]:
    return _changed(lambda: HandshakeServer(tools=(TASK_ADD,), board=TaskBoard(), streams=False), changes)


def _changed(server: Callable[[], Handler], changes: dict[str, Any]) -> Callable[[], Handler]:
    return lambda: bad.rewritten(server(), {f"tasks/{name}": change for name, change in changes.items()})


REQUEST_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="task-endless",
        title="A task never comes to its end",
        verdict="up",
        warns=("tasks",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options={**TASKS, "timeout_s": 3.0},
        build=streaming(_stateless(get=bad.endless)),
    ),
    Scenario(
        id="task-mistaken",
        title="A task ends with another result than the tool's",
        verdict="up",
        warns=("tasks",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=TASKS,
        build=streaming(_stateless(get=bad.mistaken)),
    ),
    Scenario(
        id="task-mistaken-handshake",
        title="A task of revision 2025-11-25 ends with another result than the tool's",
        verdict="up",
        warns=("tasks",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options=TASKS,
        build=streaming(_handshake(result=lambda result: {**result, **bad.WRONG_SUM})),
    ),
    Scenario(
        id="task-unasked",
        title="A call is answered with a task, although the client has not said that it can take one",
        verdict="up",
        warns=("sentinel_call",),
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD]},
        build=streaming(stateless_with(tools__call=bad.rpc_result(HANDLE))),
    ),
    Scenario(
        id="input-required",
        title="A call is answered with a question, although the client has not said that it can answer any",
        verdict="up",
        warns=("sentinel_call",),
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD]},
        build=streaming(stateless_with(tools__call=bad.rpc_result(ASKING))),
    ),
    Scenario(
        id="subscription-unacknowledged",
        title="A subscription is never acknowledged",
        verdict="up",
        warns=("subscriptions",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD], "on_request": ["subscriptions"], "timeout_s": 4.0},
        build=streaming(
            lambda: bad.intercept(StatelessServer(announces=True), {"subscriptions/listen": bad.silent_stream})
        ),
    ),
    Scenario(
        id="subscription-of-another",
        title="The acknowledgement of a subscription names another one",
        verdict="up",
        warns=("subscriptions",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD], "on_request": ["subscriptions"]},
        build=streaming(
            lambda: bad.intercept(StatelessServer(announces=True), {"subscriptions/listen": bad.misacknowledged})
        ),
    ),
    Scenario(
        id="subscription-unknown",
        title="Changes are announced, but nobody can subscribe to them",
        verdict="up",
        warns=("subscriptions",),
        profile="full",
        front=Front.FUNCTION_URL_STREAMING,
        options={"sentinels": [ADD], "on_request": ["subscriptions"]},
        build=streaming(
            lambda: bad.intercept(
                StatelessServer(announces=True),
                {"subscriptions/listen": bad.rpc_error(-32601, "Method not found", status=404)},
            )
        ),
    ),
)
