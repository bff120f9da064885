"""Apprise is an extra: without it, a configuration that wants it is told what to do."""

import sys

import pytest

from prober.notifiers.catalog import settings_models
from prober.settings import NotifierSpec, notifier_settings

SPEC = NotifierSpec(name="teams", kind="apprise", options={"url": "env:TEAMS"})


def test_without_the_extra_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    settings, (problem,) = notifier_settings([SPEC], settings_models())
    assert settings == {}
    shown = f"{problem.message} {problem.hint}"
    assert shown.startswith("notifier teams: ")
    assert "pip install 'mcp-prober[apprise]'" in shown


def test_with_it_there_is_no_problem() -> None:
    settings, problems = notifier_settings([SPEC], settings_models())
    assert (settings.keys(), problems) == ({"teams"}, [])
