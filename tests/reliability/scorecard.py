"""The scorecard: which fault is injected, what has to come of it, and where each is proven."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Line:
    """One numbered test. `mark` is what it must come to."""

    number: int
    fault: str
    mark: str


@dataclass(frozen=True)
class Elsewhere:
    """Tests of another directory that prove a line: they are run from here, and counted."""

    number: int
    tests: tuple[str, ...]
    full: tuple[tuple[str, str], ...] = ()
    """Environment of the full size."""


LINES: Final = (
    Line(1, "The worker is killed 30 times in 5 minutes, 50 servers at 1 s",
         "every slot has exactly one row; 0 missing, 0 double; interrupted at most kills times probes in flight"),
    Line(2, "PostgreSQL is stopped (immediate) for 60 s under load",
         "0 reports lost; caught up within 30 s; starts are late by at most 250 ms (p99)"),
    Line(3, "PostgreSQL is killed 20 times at random moments",
         "0 lost, 0 double; works again at most 5 s after PostgreSQL is up"),
    Line(4, "Every reply of the database comes 2 s late; connections are cut after COMMIT was sent",
         "starts are late by at most 250 ms (p99); 0 double"),
    Line(5, "The spool's disk of 4 MiB is full while the database is away; files may not grow",
         "0 changes of an endpoint lost; counters exact; not ready meanwhile; recovers without a restart"),
    Line(6, "The spool is cut at every byte of its last 3 records; bits flip at random",
         "0 crashes, 0 false records; lost is only what was touched"),
    Line(7, "30 old partitions are dropped during 100 inserts a second; the housekeeper is killed; a day has none",
         "inserts take at most 200 ms (p99); 0 errors, 0 lost"),
    Line(8, "Senders are killed 200 times while 1,500 notices go out",
         "0 lost; duplicates at most kills; at most 2 copies of each"),
    Line(9, "A sender is killed at every statement between the outbox and the mark", "0 lost at every point"),
    Line(10, "One of two workers is stopped for 30 s, longer than its lease, and goes on",
         "at most 1 duplicate for each pause; nothing newer is overwritten; 0 double"),
    Line(11, "A channel answers 429 with Retry-After: 30, another one is healthy",
         "at most 1 try in that time; the other one is at most 1 s late; nothing lost"),
    Line(12, "A channel fails for 30 minutes, the service recovers meanwhile",
         "one message at most 60 s after its return; never down after up"),
    Line(13, "A channel is gone (404)", "its fallback is told within 60 s; it is shown as broken"),
    Line(14, "10,000 hostile strings in names and errors, to every channel and to CloudWatch",
         "0 refused, 0 batches failed"),
    Line(15, "100 endpoints fail at once; and once more with the canaries",
         "at most 1 message for the group within 60 s; 0 messages about endpoints the second time"),
    Line(16, "Every probe of an endpoint flaps, for an hour", "at most 4 messages; the right state at the end"),
    Line(17, "20 restarts in 2 minutes with 30 endpoints down; the database is restored from a dump", "0 new messages"),
    Line(18, "An endpoint fails, nothing else",
         "commit to delivery at most 5 s (p99); failure to message at most threshold x interval + deadline + 5 s"),
    Line(19, "Our own network is down for 10 minutes",
         "0 messages about endpoints; every slot recorded; one notice that the prober was impaired"),
    Line(20, "8 busy processes on 2 cores; the event loop stands still for 2 s",
         "0 false down of 50 healthy servers; late figures are flagged"),
    Line(21, "The names of 12, then 100 endpoints do not resolve", "0 failures of healthy ones"),
    Line(22, "Each hostile server beside 50 healthy ones",
         "healthy probes take at most 50 ms more (p99); the event loop is held up for at most 100 ms"),
    Line(23, "The wall clock jumps: by an hour, a year, back 5 minutes",
         "at most 1 additional probe for each endpoint; no negative duration"),
    Line(24, "Changes to and from summer time in Berlin, New York, Lord Howe; ends of months",
         "0 differences from brute force over 10 years"),
    Line(25, "The worker stands still for 10 minutes and goes on",
         "at most 1 probe for each endpoint in the first interval"),
    Line(26, "A start with 500 endpoints at 30 s", "at most 34 starts in any second; all within 30 s"),
    Line(27, "An endpoint fails every other first attempt",
         "50 % (within 2) of first attempts are shown as successes; its state is degraded/flaky"),
    Line(28, "The token endpoint, the store of secrets, the name of the token endpoint are away",
         "unknown for that reason, 0 down"),
    Line(39, "SIGTERM with 50 probes in flight; twice; without a database",
         "ends within 10 s, at the second within 1 s; 0 lost; leases handed back"),
    Line(40, "100 endpoints at 1 s for 6 hours, with the faults of 2, 8 and 19 every hour",
         "resident memory grows by at most 1 MiB an hour after 30 minutes, 20 MiB in all; open files within 5; 0 lost"),
    Line(41, "500 endpoints at 30 s on 2 cores",
         "starts are late by at most 250 ms (p99); at most 50 % of a core; own addition at most 10 ms (p50)"),
    Line(42, "The event loop is wedged", "the heartbeat ends and /livez fails within 60 s"),
    Line(43, "To this release and back under load, and a migration that meets a lock",
         "0 lost; a migration that fails leaves nothing half done"),
)  # fmt: skip

_STORAGE: Final = "tests/integration/storage"
_NOTIFIERS: Final = "tests/integration/notifiers"
ELSEWHERE: Final = (
    Elsewhere(5, (f"{_STORAGE}/test_spool_full.py",)),
    Elsewhere(6, ("tests/unit/storage/test_spool_format.py", f"{_STORAGE}/test_spool.py")),
    Elsewhere(7, (f"{_STORAGE}/test_partitions.py",), full=(("PROBER_LONGEST_WAIT_S", "0.2"),)),
    Elsewhere(
        8,
        (f"{_NOTIFIERS}/test_killed_senders.py::"
         "test_killed_senders_lose_nothing_and_send_at_most_one_notice_twice_for_each_kill",),
        full=(("PROBER_KILLS", "200"), ("PROBER_NOTICES", "1500")),
    ),
    Elsewhere(
        9,
        (f"{_NOTIFIERS}/test_killed_senders.py::"
         "test_a_kill_at_any_statement_between_the_outbox_and_the_mark_loses_nothing",),
    ),
    Elsewhere(
        14,
        ("tests/contract/test_notifiers.py", "tests/unit/notifiers", "tests/unit/metrics"),
        full=(("PROBER_STRINGS", "10000"),),
    ),
    Elsewhere(24, ("tests/unit/incidents/test_windows.py",)),
    Elsewhere(43, (f"{_STORAGE}/test_upgrade.py", f"{_STORAGE}/test_migrations.py")),
)  # fmt: skip
