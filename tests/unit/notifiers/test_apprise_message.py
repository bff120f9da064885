"""Apprise is an extra: without it, a configuration that wants it is told what to do. What it is told calls nobody."""

import sys
from collections.abc import Callable

import pytest

from prober.incidents.notice import Notice, NoticeKind
from prober.incidents.rules import Severity
from prober.notifiers.apprise import message
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


@pytest.mark.parametrize("call", ["@everyone", "@here", "<!channel>", "<@U012345>", "<@&123>", "<#C012345>", "a@b"])
def test_remote_text_calls_nobody(make_notice: Callable[..., Notice], call: str) -> None:
    told = message(make_notice(title=call, lines=(call,), fix=call), None)
    assert call not in f"{told['title']} {told['body']}"
    assert "everyone" in told["title"] or call != "@everyone", "it is still to be read"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "failure"),
        ({"severity": Severity.WARNING}, "warning"),
        ({"severity": Severity.INFO}, "info"),
        ({"kind": NoticeKind.CLOSED}, "success"),
    ],
)
def test_the_type_follows_the_weight_and_an_end_is_a_success(
    make_notice: Callable[..., Notice], changes: dict[str, object], shown: str
) -> None:
    assert message(make_notice(**changes), None)["notify_type"] == shown
