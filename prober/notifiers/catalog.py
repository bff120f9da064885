"""Every kind of channel, by name."""

from typing import Final

from prober.notifiers.apprise import Apprise
from prober.notifiers.contract import ChannelSettings, Notifier
from prober.notifiers.email import Email
from prober.notifiers.file import LineFile
from prober.notifiers.pagerduty import PagerDuty
from prober.notifiers.slack import Slack
from prober.notifiers.sns import Sns
from prober.notifiers.webhook import Webhook

NOTIFIERS: Final[tuple[type[Notifier], ...]] = (Slack, Sns, PagerDuty, Email, Webhook, Apprise, LineFile)


def notifier_of(kind: str) -> type[Notifier] | None:
    """The kind of that name, or None."""
    return next((each for each in NOTIFIERS if each.kind == kind), None)


def settings_models() -> dict[str, type[ChannelSettings]]:
    """What each kind can be told, for validation and for the configuration's schema."""
    return {each.kind: each.settings for each in NOTIFIERS}
