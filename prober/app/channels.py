"""The channels that a configuration names, judged by their kinds and built with what this process has."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from prober.app.background import DaemonExecutor
from prober.clock import Clock
from prober.incidents.notice import Notice
from prober.net.client import Net
from prober.net.guard import GuardPolicy
from prober.notifiers.catalog import notifier_of, settings_models
from prober.notifiers.contract import Tools
from prober.notifiers.delivery import Channel, Pace, attempt
from prober.secrets.vault import Vault
from prober.settings import Problem, Settings, notifier_settings
from prober.storage import channels
from prober.storage.channels import ChannelSpec

THREADS: Final = 2
"""For a secret and a call that blocks, at the prompt."""


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


async def send_once(settings: Settings, name: str, notice: Notice, clock: Clock) -> str | None:
    """Send one notice from this process, without a database: why the channel did not take it, or None.

    The channel must be one that the settings name.
    """
    network = settings.network
    policy = GuardPolicy(allow_cidrs=network.allow_cidrs, allow_private=network.allow_private)
    executor = DaemonExecutor(THREADS, "blocking")
    tools = Tools(
        net=Net(policy, clock=clock, limits=settings.limits),
        secret=Vault(executor, allow=settings.secrets).secret,
        executor=executor,
        clock=clock,
        public_url=settings.dashboard.public_url,
    )
    chosen = next(each for each in build(settings, tools) if each.name == name)
    refusal = await attempt(chosen, notice, timeout_s=Pace().send_timeout)
    return None if refusal is None else refusal.reason
