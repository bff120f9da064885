"""What `up` says once it runs."""

from pathlib import Path

from checks.model import Endpoint
from prober.cli.up import started_in_words
from prober.settings import NotifierSpec, Settings


def test_the_start_says_what_is_probed_and_who_is_told() -> None:
    shop = Endpoint(name="shop", url="https://shop.example/mcp")
    paused = Endpoint(name="paused", url="https://paused.example/mcp", enabled=False)
    team = NotifierSpec(name="team", kind="slack", options={})
    lines = list(started_in_words(Settings(endpoints=(shop, paused), notifiers=(team,)), Path("prober.yaml")))
    assert lines[:2] == [
        "probing 1 endpoint of prober.yaml, whose edits count at once",
        "incidents are told to team",
    ]
    assert "nobody is told of incidents" in list(started_in_words(Settings(), Path("prober.yaml")))[1]
