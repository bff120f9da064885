"""Locks by which a worker knows which others are dead."""

from pathlib import Path

from prober.app.presence import Presence


def test_a_worker_that_lives_is_seen_and_one_that_was_killed_is_known_to_be_dead(tmp_path: Path) -> None:
    first, second = Presence(tmp_path / "workers", "first"), Presence(tmp_path / "workers", "second")
    assert first.enter() == frozenset()
    (tmp_path / "workers" / "killed").touch()
    assert second.enter() == {"killed"}
    second.forget({"killed"})
    assert Presence(tmp_path / "workers", "third").enter() == frozenset()


def test_a_worker_that_ended_leaves_nothing(tmp_path: Path) -> None:
    ended = Presence(tmp_path, "ended")
    ended.enter()
    ended.leave()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_keeps_no_worker_from_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Presence(tmp_path / "file" / "workers", "one").enter() == frozenset()
