"""An endpoint's accepted tools as JSON."""

from datetime import datetime
from typing import Any, Self

from fastapi import APIRouter
from pydantic import BaseModel

from checks.encode import as_json
from checks.inventory import Inventory
from dashboard.access.gate import WithActor, may
from dashboard.access.permissions import Permission
from dashboard.operations import baselines
from dashboard.operations.refusals import missing
from dashboard.services import WithServices
from dashboard.views.tool_lists import changes_of
from prober.storage import accepted_tools
from prober.storage.accepted_tools import NoSuchEndpoint, ToolLists

router = APIRouter()


class ToolList(BaseModel):
    """A list of tools. Its texts are the watched server's own: escape them."""

    fingerprint: str
    tools: list[dict[str, Any]]
    """Each with `name`, `fingerprint` and `definition`, which is null where it is too large to be kept."""

    @classmethod
    def of(cls, inventory: Inventory | None) -> Self | None:
        if inventory is None:
            return None
        return cls(fingerprint=inventory.fingerprint, tools=[as_json(each) for each in inventory.tools])


class Change(BaseModel):
    """One difference. `impact` is `breaking`, `additive` or `text`; `certain` is false where no rule tells."""

    tool: str
    path: str
    kind: str
    impact: str
    certain: bool
    before: str | None
    after: str | None


class Baseline(BaseModel):
    """The list that changes are measured by, and the newest one where it is another."""

    accepted: ToolList | None
    accepted_at: datetime | None
    accepted_by: str | None
    candidate: ToolList | None
    settled: bool
    """Whether enough probes agree on one list."""
    changes: list[Change]

    @classmethod
    def of(cls, lists: ToolLists) -> Self:
        return cls(
            accepted=ToolList.of(lists.accepted),
            accepted_at=lists.accepted_at,
            accepted_by=lists.accepted_by or None,
            candidate=ToolList.of(lists.candidate),
            settled=lists.memory.settled is not None,
            changes=[Change(**as_json(each)) for each in changes_of(lists).changes],
        )


@router.get("/api/baselines/{name:path}", tags=["read"], dependencies=[may(Permission.READ)])
async def baseline(services: WithServices, name: str) -> Baseline:
    """The accepted list of tools, and what changed since."""
    try:
        return Baseline.of(await accepted_tools.known(services.db, name))
    except NoSuchEndpoint as absent:
        raise missing(absent) from None


@router.post("/api/baselines/{name:path}", tags=["change"], dependencies=[may(Permission.OPERATE)])
async def accept(services: WithServices, actor: WithActor, name: str, fingerprint: str | None = None) -> Baseline:
    """Accept the list with that fingerprint, or the newest one. One that is accepted already stays so."""
    await baselines.accept(services, actor.author, name, fingerprint)
    return Baseline.of(await accepted_tools.known(services.db, name))
