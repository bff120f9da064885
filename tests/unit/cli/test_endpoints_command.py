"""The table of endpoints, on terminals of any width."""

from datetime import UTC, datetime

from checks.model import Verdict
from prober.cli.endpoints import table
from tests.unit.dashboard.rows import fleet_row

ROWS = (
    fleet_row(name="shop", url="https://shop.example/mcp", verdict=Verdict.UP, cause=None),
    fleet_row(name="cart", url=f"https://cart.example/{'x' * 80}", verdict=Verdict.DOWN, cause="tools-empty"),
    fleet_row(name="rest", url="https://rest.example/mcp", enabled=False, slot=datetime(2026, 11, 22, tzinfo=UTC)),
)


def test_a_pipe_gets_every_column_whole_and_plain() -> None:
    lines = table(ROWS).splitlines()
    assert lines[0].split("  ")[-1] == "URL"
    assert [line.split()[-1] for line in lines[1:]] == [row.url for row in ROWS]
    assert "\x1b" not in table(ROWS)


def test_a_narrow_terminal_gets_no_addresses_and_a_wide_one_all() -> None:
    lines = table(ROWS, width=79).splitlines()
    assert max(map(len, lines)) <= 79
    assert "URL" not in lines[0]
    assert "x" * 80 in table(ROWS, width=200)


def test_the_verdict_has_its_colour_and_the_columns_keep_their_places() -> None:
    plain, painted = table(ROWS).splitlines(), table(ROWS, colour=True).splitlines()
    assert plain[0] == painted[0]
    assert painted[2].startswith("\x1b[31mdown\x1b[0m ")
    assert painted[2].replace("\x1b[31m", "").replace("\x1b[0m", "") == plain[2]
    assert painted[3].startswith("\x1b[2mdisabled\x1b[0m ")
