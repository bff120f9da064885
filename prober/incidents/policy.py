"""All that the owner decided about incidents and about telling, in one value."""

from dataclasses import dataclass

from prober.incidents.notice import Route
from prober.incidents.rules import Alerting, Rules
from prober.incidents.windows import MaintenanceWindow


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """What decides about incidents and who is told of them."""

    rules: Rules = Rules()
    alerting: Alerting = Alerting()
    routes: tuple[Route, ...] = ()
    windows: tuple[MaintenanceWindow, ...] = ()
