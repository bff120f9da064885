"""One probe of one endpoint at the prompt or in a pipeline: no database, nothing remembered."""

from typing import Final

from checks.model import Endpoint, History, ProbeReport, Profile
from prober.app.background import DaemonExecutor
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.credentials import Credentials
from prober.probing.runner import Assignment, probe
from prober.secrets.vault import Vault

THREADS: Final = 2
"""For secrets; none is started where none is needed."""


async def probe_once(
    endpoint: Endpoint, *, profile: Profile = Profile.STANDARD, history: History = History()
) -> ProbeReport:
    """Probe `endpoint` now. Loopback and private addresses are allowed, because a person names the address;
    metadata and link-local addresses never are. `history` is what the caller knows of earlier probes."""
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    executor = DaemonExecutor(THREADS, "secrets")
    credentials = Credentials(Vault(executor), net=net, clock=clock, executor=executor)
    assignment = Assignment(endpoint=endpoint, slot=clock.now(), profile=profile, history=history)
    return await probe(assignment, net=net, clock=clock, credentials=credentials)
