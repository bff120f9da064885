"""The page of the channels says which need somebody, since when, and what waits."""

from datetime import timedelta

from dashboard.views.channels import channels_view
from tests.unit.dashboard.rows import NOW, attempt, channel

WELL = {"failing_since": None, "broken_since": None, "resting_until": None, "last_error": None}


def test_a_broken_channel_says_since_when_it_has_to_be_mended_and_when_it_is_tried() -> None:
    (view,) = channels_view([channel()], [], NOW).channels
    assert (view.state, view.icon, view.error) == ("to mend", "down", "HTTP 404")
    assert view.since is not None
    assert view.since.relative == "3 min ago"
    assert view.next_try is not None
    assert view.next_try.relative == "in 2 min"
    assert view.waiting == "2 notices, the oldest for 4 min; 1 refused for good within a day"


def test_a_channel_works_fails_or_was_never_used() -> None:
    works = channel(**WELL, waiting=0, oldest=None, refused=0)
    fails = channel(broken_since=None, resting_until=NOW - timedelta(seconds=1))
    unused = channel(**WELL, sent_at=None)
    views = channels_view([works, fails, unused], [], NOW).channels
    assert [(each.state, each.icon) for each in views] == [
        ("works", "up"),
        ("failing", "degraded"),
        ("unused", "unknown"),
    ]
    assert views[0].waiting == ""
    assert views[1].next_try is None, "it is due"


def test_the_headline_counts_those_in_trouble() -> None:
    works, fails, broken = channel(**WELL), channel(broken_since=None), channel()
    assert channels_view([], [], NOW).headline == "No channel is configured"
    assert channels_view([works], [], NOW).headline == "1 channel"
    assert channels_view([works, fails, broken], [], NOW).headline == "3 channels: 1 to mend, 1 failing"


def test_a_name_stays_inside_the_address_of_its_test() -> None:
    (view,) = channels_view([channel(name="a/b?c")], [], NOW).channels
    assert view.test == "/channels/a%2Fb%3Fc/test"


def test_a_try_says_what_came_of_it_and_how_long_it_took() -> None:
    broken, lost = channels_view([], [attempt(), attempt(outcome="lost", took_ms=0.0)], NOW).attempts
    assert (broken.icon, broken.took, broken.reason) == ("down", "84 ms", "HTTP 404")
    assert (lost.icon, lost.took) == ("unknown", "-")
