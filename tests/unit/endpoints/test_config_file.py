"""Edits of the configuration file while the prober runs."""

from pathlib import Path

import pytest

from prober.endpoints.config_file import ConfigFileWatcher
from prober.settings import ConfigError, Problem, Settings

ONE = "endpoints: [{name: a, url: 'https://a.example/'}]\n"
TWO = "endpoints: [{name: a, url: 'https://a.example/'}, {name: b, url: 'https://b.example/'}]\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "prober.yaml"
    path.write_text(ONE)
    return path


@pytest.fixture
def watcher(path: Path) -> ConfigFileWatcher:
    watcher = ConfigFileWatcher(path, {})
    watcher.load()
    return watcher


def names(settings: object) -> list[str]:
    assert isinstance(settings, Settings)
    return [endpoint.name for endpoint in settings.endpoints]


def test_an_untouched_file_says_nothing(watcher: ConfigFileWatcher) -> None:
    assert [watcher.poll() for _ in range(3)] == [None, None, None]


def test_an_edit_counts_once_it_stands_still(watcher: ConfigFileWatcher, path: Path) -> None:
    path.write_text(TWO)
    assert watcher.poll() is None
    assert names(watcher.poll()) == ["a", "b"]
    assert watcher.poll() is None


def test_a_half_written_file_is_never_taken(watcher: ConfigFileWatcher, path: Path) -> None:
    path.write_text("endpoints: []\n")
    assert watcher.poll() is None
    path.write_text(TWO)
    assert watcher.poll() is None
    assert names(watcher.poll()) == ["a", "b"]


def test_a_broken_edit_is_reported_once_and_a_mended_one_counts(watcher: ConfigFileWatcher, path: Path) -> None:
    path.write_text("endpoints: [{name: a}]\n")
    assert watcher.poll() is None
    (problem,) = watcher.poll() or ()
    assert problem == Problem(f"{path}:1", "endpoints[0].url: is missing", "add it")
    assert watcher.poll() is None
    path.write_text(TWO)
    watcher.poll()
    assert names(watcher.poll()) == ["a", "b"]


def test_a_file_that_vanishes_is_reported_once_and_counts_when_it_is_back(
    watcher: ConfigFileWatcher, path: Path
) -> None:
    path.unlink()
    assert watcher.poll() is None
    (problem,) = watcher.poll() or ()
    assert "cannot be read" in problem.message
    assert watcher.poll() is None
    path.write_text(ONE)
    watcher.poll()
    assert names(watcher.poll()) == ["a"]


def test_a_new_stamp_on_the_same_content_is_no_edit(watcher: ConfigFileWatcher, path: Path) -> None:
    path.write_text(ONE)
    assert [watcher.poll(), watcher.poll()] == [None, None]


def test_problems_that_only_others_can_see_count_too(path: Path) -> None:
    unknown = Problem("prober.yaml:1", "no such kind")
    watcher = ConfigFileWatcher(path, {}, judge=lambda settings: [unknown] if len(settings.endpoints) > 1 else [])
    watcher.load()
    path.write_text(TWO)
    watcher.poll()
    assert watcher.poll() == (unknown,)


def test_loading_a_broken_file_raises(path: Path) -> None:
    path.write_text("endpoints: 5\n")
    with pytest.raises(ConfigError, match="is not a list"):
        ConfigFileWatcher(path, {}).load()
