"""What a probe costs in requests, counted at servers of the lab."""

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from checks.costs import COSTS, TO_FIND, Kind, kind_of, requests_of
from checks.model import Endpoint, Opener, ProbeReport, Profile, Sentinel
from prober.clock import SystemClock
from prober.lab.http import Handler
from prober.lab.lab import Lab
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.dual import DualServer
from prober.lab.servers.handshake import HandshakeServer
from prober.lab.servers.legacy_sse import LegacySseServer
from prober.lab.servers.stateless import StatelessServer
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.runner import Assignment, probe

SERVERS: Final[Mapping[Kind, Callable[[], Handler]]] = {
    Kind.STATELESS: StatelessServer,
    Kind.DUAL: DualServer,
    Kind.HANDSHAKE: lambda: HandshakeServer(has_sessions=False),
    Kind.SESSIONS: HandshakeServer,
    Kind.SSE: LegacySseServer,
}
CALLED: Final = (Sentinel(tool="add", arguments={"a": 2, "b": 3}), Sentinel(tool="whoami"))


async def probed(endpoint: Endpoint, profile: Profile, remembered: Opener | None = None) -> ProbeReport:
    clock = SystemClock()
    assignment = Assignment(endpoint=endpoint, slot=clock.now(), profile=profile, remembered=remembered)
    return await probe(assignment, net=Net(GuardPolicy(allow_private=True), clock=clock), clock=clock)


@pytest.mark.parametrize("sentinels", [(), CALLED], ids=["bare", "with sentinels"])
@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("kind", Kind)
async def test_a_probe_makes_as_many_requests_as_is_said(
    kind: Kind, profile: Profile, sentinels: tuple[Sentinel, ...]
) -> None:
    path = "/sse" if kind is Kind.SSE else "/mcp"
    scenario = Scenario(id="counted", title="", verdict="up", front=Front.HTTP, build=SERVERS[kind], path=path)
    async with Lab([scenario]) as lab:
        endpoint = Endpoint(name="counted", url=lab.url("counted"), sentinels=sentinels)
        earlier = await probed(endpoint, Profile.QUICK)
        before = len(lab.served("counted"))
        report = await probed(endpoint, profile, earlier.opening.opener)
        asked = [each.rpc_method or each.method for each in lab.served("counted")[before:]]
    refused = sum((exchange.status or 0) >= 400 for exchange in report.exchanges)
    assert (len(asked), refused) == (requests_of(profile, kind, endpoint), COSTS[kind][profile].refused), asked
    opener = report.opening.opener
    assert opener is not None
    has_session, both = report.opening.has_session, kind is Kind.DUAL
    assert kind_of(opener.era, opener.transport, has_session=has_session, serves_both=both) is kind


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("kind", Kind)
async def test_a_probe_that_remembers_nothing_asks_little_more(kind: Kind, profile: Profile) -> None:
    path = "/sse" if kind is Kind.SSE else "/mcp"
    scenario = Scenario(id="counted", title="", verdict="up", front=Front.HTTP, build=SERVERS[kind], path=path)
    async with Lab([scenario]) as lab:
        await probed(Endpoint(name="counted", url=lab.url("counted")), profile)
        more = len(lab.served("counted")) - COSTS[kind][profile].requests
    assert more in range(TO_FIND + 1)
    assert kind is not Kind.SSE or more == TO_FIND
