"""`cloudwatch price` and `cloudwatch template`."""

import ast
from pathlib import Path

import pytest
import yaml

from prober.cli import main

CONFIGURATION = """\
endpoints:
  - {name: orders, url: "https://orders.example/mcp"}
  - {name: search, url: "https://search.example/mcp", metrics: full}
  - {name: quiet, url: "https://quiet.example/mcp", metrics: none}
  - {name: "off", url: "https://off.example/mcp", enabled: false}
cloudwatch: {metrics: minimal}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "prober.yaml"
    path.write_text(CONFIGURATION)
    return path


def test_the_price_is_told_part_by_part_before_anything_is_switched_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloudwatch", "price", "-c", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "METRICS USD A MONTH",
        "1 endpoint: none 0 0.00",
        "1 endpoint: minimal 2 0.60",
        "1 endpoint: full 14 4.20",
        "the fleet and the prober itself 14 4.20",
        "43,200 calls of PutMetricData 0.43",
        "in all 30 9.43",
        "beside it, 7 alarms of the template 0.70",
        "in all, were every endpoint: none 14 4.63",
        "in all, were every endpoint: minimal 20 6.43",
        "in all, were every endpoint: standard 38 11.83",
        "in all, were every endpoint: full 56 17.23",
        "",
        "List prices of us-east-1 without the free tier: https://aws.amazon.com/cloudwatch/pricing/",
        "Nothing is published yet: cloudwatch.enabled is false.",
    ]


def test_lines_of_a_log_have_a_price_of_their_own(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(CONFIGURATION.replace("{metrics: minimal}", "{enabled: true, emf_file: /dev/stdout}"))
    assert main(["cloudwatch", "price", "-c", str(path)]) == 0
    said = capsys.readouterr().out
    assert "What CloudWatch Logs asks for the lines of emf_file comes on top." in said
    assert "PutMetricData" not in said
    assert "Nothing is published yet" not in said


def test_a_template_is_printed_for_the_configured_endpoints(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cloudwatch", "template", "-c", str(path)]) == 0
    resources = yaml.safe_load(capsys.readouterr().out)["Resources"]
    names = {each["Properties"].get("AlarmName") for each in resources.values()}
    assert {"mcp-prober: orders is down", "mcp-prober: search is down"} < names
    assert not any("quiet" in str(name) or "off" in str(name) for name in names)


def test_the_same_is_to_be_had_for_the_cdk(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cloudwatch", "template", "--format", "cdk", "--config", str(path)]) == 0
    ast.parse(capsys.readouterr().out)


def test_a_file_that_is_not_there_ends_with_2_and_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cloudwatch", "price", "-c", str(tmp_path / "gone.yaml")]) == 2
    assert "mcp-prober init URL" in capsys.readouterr().err
