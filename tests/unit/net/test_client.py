"""What a client carries, and which TLS contexts are made when."""

from importlib.metadata import version

from prober.clock import SystemClock
from prober.net.client import USER_AGENT, Net
from prober.net.guard import GuardPolicy
from prober.net.tls import Trust


def test_the_user_agent_names_the_installed_version() -> None:
    assert USER_AGENT.endswith(f"/{version('mcp-prober')}")


def test_a_tls_context_is_made_once_and_only_for_those_who_need_it() -> None:
    trust = Trust()
    net = Net(GuardPolicy(), clock=SystemClock(), trust=trust)
    net.prepare("http://example.com/")
    assert not vars(trust)
    net.prepare("HTTPS://example.com/")
    made = trust.context(verify=True)
    assert trust.context(verify=True) is made
    assert len(vars(trust)) == 1
    assert made.check_hostname
    assert not trust.context(verify=False).check_hostname
