"""Servers behind an Application Load Balancer, healthy and not."""

from typing import Final

from prober.lab import misbehaviour as bad
from prober.lab.faults.parts import PLAIN, STREAMING, behind, json_handshake, json_only, returning
from prober.lab.front_doors.load_balancer import LoadBalancer
from prober.lab.scenario import Front, Scenario
from prober.lab.servers.stateless import StatelessServer

LOAD_BALANCER_HEALTHY: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="load-balancer",
        title="Stateless server behind a load balancer",
        verdict="up",
        front=Front.LOAD_BALANCER,
        options=PLAIN,
        build=behind(LoadBalancer, json_only),
    ),
    Scenario(
        id="load-balancer-handshake",
        title="Handshake server behind a load balancer",
        verdict="up",
        front=Front.LOAD_BALANCER,
        options=PLAIN,
        build=behind(LoadBalancer, json_handshake),
    ),
)

LOAD_BALANCER_FAULTS: Final[tuple[Scenario, ...]] = (
    Scenario(
        id="load-balancer-crash",
        title="The handler behind the load balancer raises on every event",
        verdict="down",
        diagnosis="function-crash",
        front=Front.LOAD_BALANCER,
        build=returning(bad.crashes, LoadBalancer),
    ),
    Scenario(
        id="load-balancer-malformed",
        title="The handler behind the load balancer returns a value without a status",
        verdict="down",
        diagnosis="function-crash",
        front=Front.LOAD_BALANCER,
        build=returning(bad.returns({"ok": True}), LoadBalancer),
    ),
    Scenario(
        id="load-balancer-without-target",
        title="The target group is empty",
        verdict="down",
        diagnosis="function-crash",
        front=Front.LOAD_BALANCER,
        build=behind(LoadBalancer, json_only, has_target=False),
    ),
    Scenario(
        id="load-balancer-timeout",
        title="The function takes longer than the load balancer waits",
        verdict="down",
        diagnosis="gateway-timeout",
        front=Front.LOAD_BALANCER,
        build=behind(LoadBalancer, lambda: bad.never, limit_s=0.7),
    ),
    Scenario(
        id="load-balancer-blocked",
        title="A web application firewall at the load balancer turns the prober away",
        verdict="down",
        diagnosis="blocked-by-waf",
        front=Front.LOAD_BALANCER,
        build=behind(LoadBalancer, json_only, blocked=True),
    ),
    Scenario(
        id="load-balancer-buffers-events",
        title="The load balancer collects events and hands them out all at once",
        verdict="degraded",
        diagnosis="streaming-buffered",
        front=Front.LOAD_BALANCER,
        options=STREAMING,
        build=behind(LoadBalancer, StatelessServer),
    ),
)
