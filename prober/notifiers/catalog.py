"""Every kind of channel, by name."""

from typing import Final

from prober.notifiers.contract import ChannelSettings, Notifier
from prober.notifiers.file import LineFile
from prober.notifiers.slack import Slack
from prober.notifiers.sns import Sns

NOTIFIERS: Final[tuple[type[Notifier], ...]] = (Slack, Sns, LineFile)


def notifier_of(kind: str) -> type[Notifier] | None:
    """The kind of that name, or None."""
    return next((each for each in NOTIFIERS if each.kind == kind), None)


def settings_models() -> dict[str, type[ChannelSettings]]:
    """What each kind can be told, for validation and for the configuration's schema."""
    return {each.kind: each.settings for each in NOTIFIERS}
