"""The catalog: healthy servers of every kind, and one server for every fault that can be told from outside."""

from typing import Final

from prober.lab.faults.access import ACCESS_FAULTS
from prober.lab.faults.adapters import ADAPTER_FAULTS, ADAPTER_HEALTHY
from prober.lab.faults.browsers import BROWSER_FAULTS
from prober.lab.faults.cloudfront import CLOUDFRONT_FAULTS, CLOUDFRONT_HEALTHY
from prober.lab.faults.deploys import DEPLOY_FAULTS, DEPLOYS_HEALTHY
from prober.lab.faults.doors import DOOR_FAULTS
from prober.lab.faults.functions import LAMBDA_FAULTS
from prober.lab.faults.healthy import HEALTHY
from prober.lab.faults.http_api import HTTP_API_FAULTS, HTTP_API_HEALTHY
from prober.lab.faults.load_balancer import LOAD_BALANCER_FAULTS, LOAD_BALANCER_HEALTHY
from prober.lab.faults.network import NETWORK_FAULTS
from prober.lab.faults.on_request import REQUEST_FAULTS
from prober.lab.faults.protocol import PROTOCOL_FAULTS
from prober.lab.faults.rest_api import REST_API_FAULTS, REST_API_HEALTHY
from prober.lab.faults.runtimes import RUNTIME_FAULTS, RUNTIME_HEALTHY
from prober.lab.faults.sessions import SESSION_FAULTS
from prober.lab.faults.streams import STREAM_FAULTS
from prober.lab.faults.strictness import STRICTNESS
from prober.lab.faults.tools import TOOL_FAULTS
from prober.lab.faults.web_functions import WEB_FUNCTION_FAULTS, WEB_FUNCTION_HEALTHY
from prober.lab.scenario import Scenario

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *HEALTHY,
    *DEPLOYS_HEALTHY,
    *REST_API_HEALTHY,
    *HTTP_API_HEALTHY,
    *LOAD_BALANCER_HEALTHY,
    *CLOUDFRONT_HEALTHY,
    *WEB_FUNCTION_HEALTHY,
    *ADAPTER_HEALTHY,
    *RUNTIME_HEALTHY,
    *LAMBDA_FAULTS,
    *RUNTIME_FAULTS,
    *ADAPTER_FAULTS,
    *DOOR_FAULTS,
    *REST_API_FAULTS,
    *HTTP_API_FAULTS,
    *LOAD_BALANCER_FAULTS,
    *CLOUDFRONT_FAULTS,
    *WEB_FUNCTION_FAULTS,
    *ACCESS_FAULTS,
    *STREAM_FAULTS,
    *TOOL_FAULTS,
    *DEPLOY_FAULTS,
    *PROTOCOL_FAULTS,
    *SESSION_FAULTS,
    *REQUEST_FAULTS,
    *STRICTNESS,
    *BROWSER_FAULTS,
    *NETWORK_FAULTS,
)
