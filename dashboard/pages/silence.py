"""What mutes, as most pages show it."""

from collections.abc import Mapping

from dashboard.services import Services
from dashboard.views.silence import SilenceView, silence_view
from prober.storage import mutes


async def silence_of(services: Services, of: tuple[str, Mapping[str, str]] | None = None) -> SilenceView:
    """What mutes now and what will; with `of`, the name and labels of an endpoint, what mutes that one."""
    single, windows = await mutes.coming(services.db), await mutes.stored_windows(services.db)
    return silence_view(single, windows, services.clock.now(), of=of)
