"""The channels that a configuration names, judged by their kinds and built with what this process has."""

from collections.abc import Mapping, Sequence

from prober.notifiers.catalog import notifier_of, settings_models
from prober.notifiers.contract import Notifier, Tools
from prober.settings import Problem, Settings, notifier_settings


def problems_with(settings: Settings) -> Sequence[Problem]:
    """What is wrong with the notifiers of a configuration, which only their own kinds can tell."""
    return notifier_settings(settings.notifiers, settings_models())[1]


def build(settings: Settings, tools: Tools) -> Mapping[str, Notifier]:
    """Every channel by its name. The settings must be without problems."""
    validated, _ = notifier_settings(settings.notifiers, settings_models())
    channels: dict[str, Notifier] = {}
    for spec in settings.notifiers:
        kind = notifier_of(spec.kind)
        if kind is not None:
            channels[spec.name] = kind.build(validated[spec.name], tools)
    return channels
