"""Senders that are killed and stopped: real processes, whose every message is counted.

The long version: PROBER_KILLS=200 PROBER_NOTICES=1500 pytest tests/integration/notifiers/test_killed_senders.py
"""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).parents[3]
KILLS = int(os.environ.get("PROBER_KILLS", "12"))
NOTICES = int(os.environ.get("PROBER_NOTICES", "150"))


@dataclass(frozen=True)
class Ended:
    """What was done to the senders, what arrived in order of arrival, and what the outbox holds."""

    done: dict[str, Any]
    arrived: list[dict[str, Any]]
    rows: dict[str, tuple[bool, str | None]]
    """By the notice's id: whether it is marked as sent, and the notice that made it needless."""

    @property
    def copies(self) -> Counter[str]:
        return Counter(each["id"] for each in self.arrived)

    @property
    def duplicates(self) -> int:
        return len(self.arrived) - len(self.copies)

    @property
    def lost(self) -> set[str]:
        """What neither arrived nor was made needless by one that did."""
        return {id_ for id_, (_, newer) in self.rows.items() if id_ not in self.copies and newer not in self.copies}

    @property
    def told_too_late(self) -> list[str]:
        """Threads of which somebody heard the beginning after the end."""
        over, late = set(), []
        for each in self.arrived:
            if each["kind"] == "closed":
                over.add(each["thread"])
            elif each["thread"] in over:
                late.append(each["thread"])
        return late


def run(database_url: str, sink: Path, *arguments: str) -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.integration.notifiers.senders", database_url, str(sink), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        found = connection.execute(
            "select notice.payload ->> 'id', notice.sent_at is not null, newer.payload ->> 'id'"
            " from notice left join notice newer on newer.id = notice.superseded_by"
        ).fetchall()
    return Ended(
        done=json.loads(ended.stdout),
        arrived=[json.loads(line) for line in sink.read_text().splitlines()],
        rows={id_: (is_sent, newer) for id_, is_sent, newer in found},
    )


@pytest.mark.timeout(60 + KILLS + NOTICES / 5)
def test_killed_senders_lose_nothing_and_send_at_most_one_notice_twice_for_each_kill(
    database_url: str, tmp_path: Path
) -> None:
    ended = run(database_url, tmp_path / "sink", "crowd", "--notices", str(NOTICES), "--kills", str(KILLS))
    print(
        f"{NOTICES} notices, {ended.done['kills']} kills in {ended.done['took_s']} s:"
        f" {len(ended.lost)} lost, {ended.duplicates} duplicates"
    )
    assert (ended.done["kills"], len(ended.rows)) == (KILLS, NOTICES)
    assert ended.lost == set()
    assert ended.duplicates <= KILLS
    assert max(ended.copies.values()) <= 2
    assert ended.told_too_late == []


def test_a_sender_that_is_stopped_beyond_its_lease_sends_at_most_one_notice_twice(
    database_url: str, tmp_path: Path
) -> None:
    ended = run(database_url, tmp_path / "sink", "crowd", "--notices", "80", "--kills", "0", "--pauses", "1")
    assert ended.lost == set()
    assert ended.duplicates <= ended.done["pauses"]
    assert ended.told_too_late == []
    assert all(is_sent or newer for is_sent, newer in ended.rows.values()), "no late word of it overwrites a newer one"


def test_a_kill_at_any_statement_between_the_outbox_and_the_mark_loses_nothing(
    database_url: str, tmp_path: Path
) -> None:
    ended = run(database_url, tmp_path / "sink", "points")
    assert ended.done["points"] > 20, "statements before and after, begins, commits, and the send itself"
    assert ended.lost == set()
    assert len(ended.copies) == ended.done["points"] + 1
    assert max(ended.copies.values()) <= 2
    assert ended.duplicates <= ended.done["points"]
