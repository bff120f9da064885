"""The guide to single sign-on names every variable there is, and its examples are taken."""

import re
import shlex
from pathlib import Path

from dashboard.access import oidc, proxy
from dashboard.config import Config
from prober.app.dashboard_process import environment_of
from prober.settings import Access, parse

GUIDE = (Path(__file__).parents[2] / "docs" / "single-sign-on.md").read_text()


def test_every_variable_has_its_row_and_every_row_its_variable() -> None:
    rows = re.findall(r"^\| `(PROBER_DASHBOARD_(?:OIDC|PROXY)_\w+)` \|", GUIDE, re.MULTILINE)
    assert sorted(rows) == sorted(oidc.VARIABLES | proxy.VARIABLES)


def test_the_examples_are_taken_and_say_the_same_in_the_file_and_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "oidc").write_text("secret")
    guide = GUIDE.replace("/run/secrets", str(tmp_path))
    by_variables = [
        {name: value for name, _, value in (shlex.split(line)[1].partition("=") for line in block.splitlines())}
        for block in blocks(guide, "sh")
    ]
    by_file = [
        environment_of("x", parse(block.encode(), "f", {}).dashboard, Access.LOGIN) for block in blocks(guide, "yaml")
    ]
    found = [Config.from_environment({"DATABASE_URL": "x", **each}) for each in by_variables]
    assert [(each.oidc is not None, each.proxy is not None) for each in found] == [(True, False), (False, True)]
    filed = [Config.from_environment(each) for each in by_file]
    assert [(each.oidc, each.proxy) for each in filed] == [(each.oidc, each.proxy) for each in found]


def blocks(guide: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
