"""Runs one check of the full profile over a script, behind the checks that it builds on, and judges what it found."""

from collections.abc import Mapping, Sequence

from checks.catalog import DETECTORS
from checks.judgement import diagnose, verdict_of
from checks.model import Endpoint, Evidence, Exchange, Opening
from checks.protocol.lifecycle import lifecycle
from checks.protocol.tools_list import tools_list
from checks.spec import Era
from checks.unit import Check, CheckContext
from tests.unit.checks.conversations import (
    ENDPOINT,
    Judged,
    ScriptedWire,
    error,
    exchange,
    initialized,
    notified,
    opened,
    run,
    tool_page,
)


def handshake(version: str = "2025-11-25", **more: object) -> Opening:
    """An open conversation of the handshake era."""
    return opened(initialized(version), notified(), era=Era.HANDSHAKE, version=version, **more)


def in_session(version: str = "2025-11-25", **more: object) -> Opening:
    """An open conversation with a session."""
    return handshake(version, has_session=True, **more)


def refusal(code: int, message: str, status: int = 400, method: str = "tools/list", **data: object) -> Exchange:
    """A JSON-RPC error on an HTTP error."""
    return exchange(method, status=status, messages=[error(code, message, **data)])


def ask(
    check: Check,
    opening: Opening,
    *answers: Exchange,
    listing: Sequence[Exchange] | None = None,
    crowd: Sequence[Exchange] = (),
    ended: Exchange | None = None,
    beside: Mapping[str, Opening] | None = None,
    endpoint: Endpoint = ENDPOINT,
) -> Judged:
    """The check's result as the last one. `listing` answers the first reading of the tools: one tool, if not given."""
    pages = (tool_page("add"),) if listing is None else tuple(listing)
    wire = ScriptedWire(opening, (*pages, *answers), crowd=crowd, ended=ended, beside=beside)
    results = ()
    for each in (lifecycle, tools_list, check):
        results = (*results, run(each.run, CheckContext(endpoint=endpoint, wire=wire, results=results)))
    evidence = Evidence(endpoint=endpoint, opening=opening, results=results)
    diagnoses, broken = diagnose(evidence, DETECTORS)
    for each in broken:
        raise AssertionError(f"detector {each.id} raised") from each.exception
    return Judged(results, diagnoses, verdict_of(results, diagnoses), wire)
