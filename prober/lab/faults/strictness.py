"""Violations that clients mostly survive: they are told, and are no outage."""

import json
from collections.abc import Callable
from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import ADD, PLAIN, buffered
from prober.lab.http import Handler
from prober.lab.scenario import Front, Scenario
from prober.lab.servers import rpc
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.stateless import StatelessServer

BOM: Final = b"\xef\xbb\xbf"


def _respelled(method: str, change: Callable[[bytes], bytes]) -> Callable[[], Handler]:
    return buffered(lambda: bad.respelled(StatelessServer(streams=False), method, change))


def _relisted(change: bad.Change) -> Callable[[], Handler]:
    return buffered(lambda: bad.rewritten(StatelessServer(streams=False), {"tools/list": change}))


def _surrogate(body: bytes) -> bytes:
    return body.replace(b"Add two numbers.", rb"Add two numbers. \ud83d")


def _uncached(result: rpc.Json) -> rpc.Json:
    return {name: value for name, value in result.items() if name not in ("ttlMs", "cacheScope")}


def _with_hologram(result: rpc.Json) -> rpc.Json:
    return {**result, "content": [*result["content"], {"type": "hologram", "data": json.dumps([2, 3])}]}


STRICTNESS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="json-key-twice",
        title="An object of the tool list has the same key twice",
        verdict="up",
        warns=("tools_list",),
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_respelled("tools/list", lambda body: body.replace(b'{"jsonrpc":', b'{"jsonrpc":"2.0","jsonrpc":', 1)),
    ),
    Scenario(
        id="json-byte-order-mark",
        title="The tool list begins with a byte order mark",
        verdict="up",
        warns=("tools_list",),
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_respelled("tools/list", lambda body: BOM + body),
    ),
    Scenario(
        id="json-lone-surrogate",
        title="A tool's description ends in half a character",
        verdict="up",
        warns=("tools_list",),
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_respelled("tools/list", _surrogate),
    ),
    Scenario(
        id="caching-hints-missing",
        title="The tool list does not say how long it may be kept",
        verdict="up",
        warns=("tools_list",),
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=_relisted(_uncached),
    ),
    Scenario(
        id="content-unknown",
        title="A tool's result holds content of a kind that no revision knows",
        verdict="up",
        warns=("sentinel_call",),
        front=Front.FUNCTION_URL_BUFFERED,
        options={"sentinels": [ADD]},
        build=buffered(lambda: bad.rewritten(StatelessServer(streams=False), {"tools/call": _with_hologram})),
    ),
    Scenario(
        id="tool-order-changing",
        title="The tool list begins with another tool each time",
        verdict="up",
        warns=("order",),
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.rewritten(StatelessServer(streams=False), {"tools/list": bad.turning()})),
    ),
    Scenario(
        id="version-anything",
        title="Takes every revision for its own, stateless era",
        verdict="up",
        warns=("versions",),
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.reread(StatelessServer(streams=False), bad.speaking("2026-07-28"))),
    ),
    Scenario(
        id="version-header-ignored",
        title="Does not look at the version header, handshake era",
        verdict="up",
        warns=("versions",),
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.reread(HandshakeServer(streams=False), bad.speaking("2025-11-25"))),
    ),
    Scenario(
        id="headers-ignored",
        title="Looks at the body alone, whatever the headers say",
        verdict="up",
        warns=("headers",),
        profile="full",
        front=Front.FUNCTION_URL_BUFFERED,
        options=PLAIN,
        build=buffered(lambda: bad.reread(StatelessServer(streams=False), bad.heedless)),
    ),
)
