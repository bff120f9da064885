"""The channels that a configuration names, judged by their kinds and built with what this process has."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.notifiers.catalog import notifier_of, settings_models
from prober.notifiers.contract import Tools
from prober.notifiers.delivery import Channel
from prober.settings import Problem, Settings, notifier_settings
from prober.storage import channels
from prober.storage.channels import ChannelSpec


def problems_with(settings: Settings) -> Sequence[Problem]:
    """What is wrong with the notifiers of a configuration, which only their own kinds can tell."""
    return notifier_settings(settings.notifiers, settings_models())[1]


def build(settings: Settings, tools: Tools) -> tuple[Channel, ...]:
    """Every channel that the settings name. They must be without problems."""
    validated, _ = notifier_settings(settings.notifiers, settings_models())
    return tuple(
        Channel(name=spec.name, notifier=kind.build(validated[spec.name], tools), fallback=spec.fallback)
        for spec in settings.notifiers
        if (kind := notifier_of(spec.kind)) is not None
    )


async def register(db: AsyncEngine, settings: Settings, *, owns: bool) -> None:
    """Let the database know the channels, before anything is delivered to them.

    Whoever `owns` the configuration takes out those that it does not name any more.
    """
    named = [ChannelSpec(name=spec.name, kind=spec.kind, fallback=spec.fallback) for spec in settings.notifiers]
    await channels.register(db, named, owns=owns)
