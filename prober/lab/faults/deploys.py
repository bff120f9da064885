"""What changes with a deploy: the list of tools against the one that was accepted, two versions at once, warming up."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, buffered, streaming
from prober.lab.http import Handler
from prober.lab.scenario import Front, HistoryHint, Scenario
from prober.lab.servers import rpc, toolbox
from prober.lab.servers.stateless import StatelessServer

NOW: Final = [tool.listed() for tool in toolbox.STANDARD_TOOLS]
"""What the servers of these scenarios list."""

_ADD, _COUNT, _WHOAMI = NOW
_LOOSER: Final = [{**_ADD, "inputSchema": {"type": "object", "properties": {}}}, _COUNT, _WHOAMI]
_OTHERWISE: Final = [{**_ADD, "description": "Adds."}, _COUNT, _WHOAMI]
_HINTED: Final = [{**_ADD, "inputSchema": {**_ADD["inputSchema"], "x-hint": "old"}}, _COUNT, _WHOAMI]
_SHUFFLED: Final = [_WHOAMI, {**_ADD, "_meta": {"instance": "old"}}, _COUNT]
_USUAL: Final = [24.0, 22.0, 26.0, 23.0, 25.0]
_SLOW: Final = [410.0, 420.0, 415.0, 405.0, 430.0]


def _since_then(accepted: Sequence[Any]) -> HistoryHint:
    """A list was accepted, and the last two probes read the one of today."""
    return {"accepted_tools": [*accepted], "read_tools": [[*accepted], NOW, NOW]}


def taking_turns(*apps: Callable[[], Handler]) -> Callable[[], Handler]:
    """Versions of a server of which each lists its tools in turn, as behind an alias with weights."""

    def build() -> Handler:
        versions, asked = [app() for app in apps], -1

        async def handler(request: Any) -> Any:
            nonlocal asked
            asked += rpc.peek_method(request) == "tools/list"
            return await versions[asked % len(versions)](request)

        return handler

    return build


def _stricter() -> Handler:
    """A version whose sum takes whole numbers alone."""
    whole = {"a": {"type": "integer"}, "b": {"type": "integer"}}
    return StatelessServer(streams=False, tools=(replace(toolbox.ADD, properties=whole), *toolbox.STANDARD_TOOLS[1:]))


def _quick() -> Handler:
    return StatelessServer(streams=False)


DEPLOYS_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="stateless-as-accepted",
        title="Lists the tools that were accepted, otherwise ordered, soon after a deploy that is not felt",
        verdict="up",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        history={
            "accepted_tools": _SHUFFLED,
            "read_tools": [_SHUFFLED, NOW, NOW, NOW],
            "warm_wait_ms": _SLOW,
            "usual_wait_ms": _SLOW,
            "deployed_s_ago": 120.0,
        },
        build=streaming(StatelessServer),
    ),
)

DEPLOY_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="tools-drift-breaking",
        title="A tool demands arguments that it did not take when its list was accepted",
        verdict="degraded",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_STREAMING,
        options=PLAIN,
        history=_since_then(_LOOSER),
        build=streaming(StatelessServer),
    ),
    Scenario(
        id="tools-drift-tool-removed",
        title="A tool of the accepted list is gone",
        verdict="degraded",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        history=_since_then([*NOW, toolbox.GREET.listed()]),
        build=buffered(_quick),
    ),
    Scenario(
        id="tools-drift-untold",
        title="A keyword of a schema changed that no rule knows",
        verdict="degraded",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        history=_since_then(_HINTED),
        build=buffered(_quick),
    ),
    Scenario(
        id="tools-drift-additive",
        title="A tool that the accepted list has not",
        verdict="up",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        history=_since_then(NOW[:2]),
        build=buffered(_quick),
    ),
    Scenario(
        id="tools-drift-text",
        title="A tool reads otherwise than in the accepted list",
        verdict="up",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        history=_since_then(_OTHERWISE),
        build=buffered(_quick),
    ),
    Scenario(
        id="tools-drift-first-seen",
        title="A breaking change that no earlier probe saw",
        verdict="up",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        history={"accepted_tools": _LOOSER, "read_tools": [_LOOSER] * 4},
        build=buffered(_quick),
    ),
    Scenario(
        id="version-skew",
        title="Two versions with different tools take turns from probe to probe",
        verdict="up",
        diagnosis="tools-drift",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        history={"accepted_tools": _LOOSER, "read_tools": [_LOOSER, NOW, _LOOSER, NOW, _LOOSER]},
        build=buffered(_quick),
    ),
    Scenario(
        id="version-skew-within-a-probe",
        title="Two versions with different tools answer one after the other",
        verdict="up",
        diagnosis="tools-drift",
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(taking_turns(_quick, _stricter)),
    ),
    Scenario(
        id="deploy-warming",
        title="Slow since a deploy two minutes ago",
        verdict="up",
        diagnosis="deploy-warming",
        front=Front.FUNCTION_URL_BUFFERED,
        options={**PLAIN, "slow_after": 0.3},
        history={"warm_wait_ms": _SLOW, "usual_wait_ms": _USUAL, "deployed_s_ago": 120.0},
        build=buffered(lambda: bad.slowly(_quick(), 0.4)),
    ),
    Scenario(
        id="deploy-warming-cold",
        title="New instances after a deploy take longer than clients wait",
        verdict="up",
        diagnosis="deploy-warming",
        beside=("cold-start",),
        front=Front.FUNCTION_URL_STREAMING,
        options={**PLAIN, "client_timeout": 1.0},
        history={"cold_answer_ms": [1240.0], "usual_wait_ms": _USUAL, "deployed_s_ago": 120.0},
        build=streaming(StatelessServer, cold_start_s=1.2, idle_s=1.0),
    ),
)
