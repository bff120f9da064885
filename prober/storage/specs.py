"""Endpoints, openers, the findings of full probes and what is usual as JSON columns, and back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from checks.baseline import Baseline
from checks.encode import as_json
from checks.inventory import Inventory, ListedTool
from checks.model import ColdStart, Endpoint, Opener
from checks.sentinel_states import SentinelState
from checks.standing import FullFindings
from checks.tool_memory import ToolMemory
from prober.settings.model import EndpointOptions
from prober.storage import tables

_ENDPOINT: Final = TypeAdapter(Endpoint)
_OPTIONS: Final = TypeAdapter(EndpointOptions)
_OPENER: Final = TypeAdapter(Opener)
_FINDINGS: Final = TypeAdapter(FullFindings)
_BASELINE: Final = TypeAdapter(Baseline)
_COLD_STARTS: Final = TypeAdapter(tuple[ColdStart, ...])
_TOOLS: Final = TypeAdapter(tuple[ListedTool, ...])
_SENTINELS: Final = TypeAdapter(tuple[SentinelState, ...])
_TOOL_MEMORY: Final = TypeAdapter(ToolMemory)


def spec_of(endpoint: Endpoint) -> dict[str, Any]:
    """Everything about an endpoint as JSON. It holds references to secrets, as the endpoint does, and no secrets."""
    spec: dict[str, Any] = as_json(endpoint)
    return spec


def endpoint_of(spec: Mapping[str, Any]) -> Endpoint:
    """The endpoint that `spec_of` wrote, without what a newer release added. Raises ValueError for anything else."""
    return _ENDPOINT.validate_python(dict(spec))


async def watched(db: AsyncEngine, endpoint: UUID) -> Endpoint | None:
    """The endpoint as it is configured now, or was when it was last; None where there is none that can be read."""
    async with db.connect() as connection:
        spec = await connection.scalar(select(tables.endpoint.c.spec).where(tables.endpoint.c.id == endpoint))
    try:
        return None if spec is None else endpoint_of(spec)
    except ValueError:
        return None


def options_of(value: Mapping[str, Any]) -> EndpointOptions:
    """What is decided for one endpoint. Raises ValueError for what is nothing of the kind."""
    return _OPTIONS.validate_python(dict(value))


def opener_of(value: Mapping[str, Any] | None) -> Opener | None:
    """The remembered way in, or None. Raises ValueError for what is not one."""
    return None if value is None else _OPENER.validate_python(dict(value))


def findings_of(value: Mapping[str, Any] | None) -> FullFindings:
    """What is remembered of full probes. What another release wrote and this one cannot read is forgotten: the next
    full probe finds it again."""
    try:
        return FullFindings() if value is None else _FINDINGS.validate_python(dict(value))
    except ValueError:
        return FullFindings()


def baseline_of(value: Mapping[str, Any] | None) -> Baseline:
    """What is usual for an endpoint. What cannot be read is forgotten: a few hours of probes bring it back."""
    try:
        return Baseline() if value is None else _BASELINE.validate_python(dict(value))
    except ValueError:
        return Baseline()


def cold_starts_of(value: Sequence[Any] | None) -> tuple[ColdStart, ...]:
    """The latest cold starts; none where they cannot be read."""
    try:
        return _COLD_STARTS.validate_python(tuple(value or ()))
    except ValueError:
        return ()


def inventory_of(fingerprint: str | None, tools: Sequence[Any] | None) -> Inventory | None:
    """An accepted list of tools, or None. One that this release cannot read is none: nothing is measured by it until
    somebody accepts a list anew."""
    try:
        if fingerprint is None or tools is None:
            return None
        return Inventory(fingerprint=fingerprint, tools=_TOOLS.validate_python(tuple(tools)))
    except ValueError:
        return None


def sentinels_of(value: Sequence[Any] | None) -> tuple[SentinelState, ...]:
    """How the sentinels stand; none where that cannot be read: the next probe finds it again."""
    try:
        return _SENTINELS.validate_python(tuple(value or ()))
    except ValueError:
        return ()


def tool_memory_of(value: Mapping[str, Any] | None) -> ToolMemory:
    """What is remembered of lists of tools. What cannot be read is forgotten: a few probes bring it back."""
    try:
        return ToolMemory() if value is None else _TOOL_MEMORY.validate_python(dict(value))
    except ValueError:
        return ToolMemory()
