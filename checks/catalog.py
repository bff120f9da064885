"""All checks and detectors: two explicit lists, whose order is the order in which they run."""

from typing import Final

from checks.detectors.access import function_url_forbidden, function_url_gone, signature_rejected
from checks.detectors.adapter import adapter_missing, host_rejected, invoke_mode_mismatch
from checks.detectors.auth import auth_challenge_remapped, auth_rejected, auth_required
from checks.detectors.blocking import blocked_by_waf
from checks.detectors.browsers import cors_misconfigured
from checks.detectors.capability import capability_untruthful
from checks.detectors.cold_start import cold_start, cold_start_exceeds_timeout
from checks.detectors.crash import function_crash, function_timeout, warm_request_crash
from checks.detectors.drift import deploy_warming, tools_drift
from checks.detectors.empty_tools import tools_empty, tools_invalid, tools_list_failed, tools_missing
from checks.detectors.protocol import accept_rejected, handshake_rejected, headers_stripped, malformed_response, not_mcp
from checks.detectors.routing import redirected, route_missing
from checks.detectors.sentinel import sentinel_access_denied, sentinel_error, sentinel_failed, sentinel_mismatch
from checks.detectors.session import session_lost
from checks.detectors.slow import slow
from checks.detectors.streaming import stream_truncated, streaming_buffered, streaming_disabled
from checks.detectors.throttling import throttled
from checks.detectors.timeout import gateway_timeout
from checks.detectors.transport import (
    connect_failure,
    connection_lost,
    dns_failure,
    observer_impaired,
    response_timeout,
    target_blocked,
    tls_invalid,
)
from checks.detectors.version import era_unsupported, protocol_version_mismatch
from checks.protocol.auth_challenge import auth_challenge
from checks.protocol.capabilities import capabilities
from checks.protocol.cold_starts import cold_starts
from checks.protocol.cors import cors
from checks.protocol.eras import eras
from checks.protocol.headers import headers
from checks.protocol.lifecycle import lifecycle
from checks.protocol.order import order
from checks.protocol.sentinel_call import sentinel_call
from checks.protocol.session import session
from checks.protocol.streaming import streaming
from checks.protocol.subscriptions import subscriptions
from checks.protocol.tasks import tasks
from checks.protocol.tools_list import tools_list
from checks.protocol.versions import versions
from checks.unit import Check, Detector

CHECKS: Final[tuple[Check, ...]] = (
    lifecycle,
    tools_list,
    sentinel_call,
    streaming,
    # of the full profile alone
    order,
    capabilities,
    versions,
    headers,
    tasks,
    subscriptions,
    cors,
    auth_challenge,
    cold_starts,  # before the next, whose requests at once would find the instances that these started
    session,  # after all that speaks within it, because it ends the session
    eras,  # after that: some servers hold one session at a time, which a new conversation ends
)

DETECTORS: Final[tuple[Detector, ...]] = (
    # the way to it
    dns_failure,
    connect_failure,
    tls_invalid,
    response_timeout,
    connection_lost,
    redirected,
    target_blocked,
    # the front door
    function_url_forbidden,
    function_url_gone,
    signature_rejected,
    route_missing,
    gateway_timeout,
    throttled,
    blocked_by_waf,
    auth_required,
    auth_rejected,
    auth_challenge_remapped,
    # the function and its adapter
    function_crash,
    function_timeout,
    warm_request_crash,
    adapter_missing,
    invoke_mode_mismatch,
    host_rejected,
    # the protocol
    malformed_response,
    protocol_version_mismatch,
    era_unsupported,
    session_lost,
    capability_untruthful,
    headers_stripped,
    accept_rejected,
    # streaming
    streaming_disabled,
    streaming_buffered,
    stream_truncated,
    # tools
    tools_empty,
    tools_list_failed,
    tools_missing,
    tools_invalid,
    tools_drift,
    sentinel_failed,
    sentinel_access_denied,
    sentinel_error,
    sentinel_mismatch,
    # time
    cold_start_exceeds_timeout,
    slow,
    deploy_warming,
    cold_start,
    # browsers
    cors_misconfigured,
    # ourselves
    observer_impaired,
    # only when nothing above explains the failure
    handshake_rejected,
    not_mcp,
)
