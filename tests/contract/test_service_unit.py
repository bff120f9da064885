"""The systemd unit of the recipes: systemd takes it, it is closed to what it needs not, and it runs what we take."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.contract.command_lines import parsed

UNIT = Path(__file__).parents[2] / "docs" / "recipes" / "mcp-prober.service"
WORST_EXPOSURE = 15
"""Of 100, as `systemd-analyze security` counts: what listens and has an environment does not come far below."""


def value(name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(), flags=re.MULTILINE)
    return str(found)


def analyzed(*words: str) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on PATH: it judges the unit")
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    there = tmp_path / UNIT.name
    there.write_text(UNIT.read_text().replace("/opt/mcp-prober/bin/mcp-prober", "/bin/true"))
    analyzed("verify", "--man=no", str(there))


def test_the_unit_is_closed_to_what_it_needs_not() -> None:
    analyzed("security", "--offline=yes", f"--threshold={WORST_EXPOSURE}", str(UNIT))


def test_the_unit_runs_a_command_line_that_we_take_and_keeps_its_data_where_it_may_write() -> None:
    program, *words = shlex.split(value("ExecStart"))
    options = parsed(words)
    assert program.endswith("/bin/mcp-prober")
    assert str(options.data_dir) == f"/var/lib/{value('StateDirectory')}"
    assert not options.insecure_no_auth


def test_the_unit_is_not_started_again_over_a_wrong_configuration() -> None:
    assert (value("Restart"), value("RestartPreventExitStatus")) == ("on-failure", "2")
