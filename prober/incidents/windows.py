"""Times in which nobody is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """A time that comes again, in which nobody is told. Probing goes on."""

    name: str
    zone: str
    """By its IANA name."""
    at_minute: int
    """When it begins: minutes after midnight, on the zone's wall clock."""
    lasts_s: float
    weekdays: tuple[int, ...] = ()
    """0 is Monday. With no weekdays and no month days it comes every day."""
    month_days: tuple[int, ...] = ()
    """1 to 31; -1 is the last day of the month."""
    endpoints: tuple[str, ...] = ()
    """Names; with neither names nor labels it is for all."""
    labels: Mapping[str, str] = field(default_factory=dict)
