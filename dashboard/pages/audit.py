"""The page of the audit log."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from dashboard.access.gate import may
from dashboard.access.permissions import Permission
from dashboard.rendering import READ, page
from dashboard.services import WithServices
from dashboard.views.audit import AUDIT_HREF, AuditFilter, audit_view
from prober.storage import audit

router = APIRouter(include_in_schema=False)

PAGE: Final = 50
_LARGEST: Final = 2**63 - 1

_Text = Annotated[str, Query(max_length=300)]


@router.api_route(AUDIT_HREF, methods=READ, dependencies=[may(Permission.MANAGE)])
async def shown(
    request: Request,
    services: WithServices,
    author: _Text = "",
    action: _Text = "",
    subject: _Text = "",
    before: Annotated[int | None, Query(ge=1, le=_LARGEST)] = None,
) -> Response:
    wanted = AuditFilter(author=author.strip(), action=action.strip(), subject=subject.strip())
    found = await audit.newest(
        services.db,
        limit=PAGE + 1,
        before=before,
        author=wanted.author or None,
        action=wanted.action or None,
        subject=wanted.subject or None,
    )
    view = audit_view(found[:PAGE], wanted, services.clock.now(), more=len(found) > PAGE, first=before is None)
    return page(request, "audit.html", section="settings", audit=view)
