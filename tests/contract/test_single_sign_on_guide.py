"""The guide to single sign-on names every variable there is, and its examples are taken."""

import re
import shlex
from pathlib import Path

from dashboard.access import oidc, proxy
from dashboard.config import Config

GUIDE = (Path(__file__).parents[2] / "docs" / "single-sign-on.md").read_text()


def test_every_variable_has_its_row_and_every_row_its_variable() -> None:
    rows = re.findall(r"^\| `(PROBER_DASHBOARD_(?:OIDC|PROXY)_\w+)` \|", GUIDE, re.MULTILINE)
    assert sorted(rows) == sorted(oidc.VARIABLES | proxy.VARIABLES)


def test_the_examples_are_taken(tmp_path: Path) -> None:
    (tmp_path / "oidc").write_text("secret")
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL):
        lines = [
            shlex.split(line)[1].partition("=") for line in block.replace("/run/secrets", str(tmp_path)).splitlines()
        ]
        config = Config.from_environment({"DATABASE_URL": "x", **{name: value for name, _, value in lines}})
        found.append((config.oidc is not None, config.proxy is not None))
    assert found == [(True, False), (False, True)]
