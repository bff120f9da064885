"""One probe of one endpoint at the prompt or in a pipeline: no database, nothing remembered."""

from checks.model import Endpoint, ProbeReport, Profile
from prober.clock import SystemClock
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.probing.runner import Assignment, probe


async def probe_once(endpoint: Endpoint, *, profile: Profile = Profile.STANDARD) -> ProbeReport:
    """Probe `endpoint` now. Loopback and private addresses are allowed, because a person names the address;
    metadata and link-local addresses never are."""
    clock = SystemClock()
    net = Net(GuardPolicy(allow_private=True), clock=clock)
    return await probe(Assignment(endpoint=endpoint, slot=clock.now(), profile=profile), net=net, clock=clock)
