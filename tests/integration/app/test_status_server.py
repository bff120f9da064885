"""What a worker answers for itself, also when its event loop no longer turns."""

import json
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse

import pytest

from prober.app.status_server import AT_ONCE, SIGNS, CannotListen, Status, StatusServer
from prober.clock import SystemClock
from prober.vitals import Vitals


class FastClock(SystemClock):
    """Runs ahead of the system's by what the test says."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@contextmanager
def serving(vitals: Vitals, clock: SystemClock) -> Iterator[StatusServer]:
    server = StatusServer("127.0.0.1", 0, status=Status(vitals, clock), metrics=lambda: b"mcp_prober_up 1\n")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def asked(server: StatusServer, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(*server.address, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def at_work(vitals: Vitals, clock: SystemClock) -> None:
    for sign in (*SIGNS, "database"):
        vitals.happened(sign, clock.monotonic())


def test_a_worker_at_work_is_live_and_ready_and_has_metrics() -> None:
    vitals, clock = Vitals(), FastClock()
    at_work(vitals, clock)
    with serving(vitals, clock) as server:
        for path in ("/livez", "/readyz"):
            answer, body = asked(server, path)
            assert (answer.status, json.loads(body)) == (200, {"status": "ok", "reasons": []})
        answer, body = asked(server, "/metrics")
        assert (answer.status, body) == (200, b"mcp_prober_up 1\n")
        assert asked(server, "/metrics", "HEAD")[1] == b""
        assert asked(server, "/etc/passwd")[0].status == 404
        assert asked(server, "/livez", "POST")[0].status == 501


@pytest.mark.parametrize("stuck", sorted(SIGNS))
def test_what_has_not_moved_within_a_minute_is_told(stuck: str) -> None:
    vitals, clock = Vitals(), FastClock()
    at_work(vitals, clock)
    with serving(vitals, clock) as server:
        clock.ahead = 60.0
        for sign in set(SIGNS) - {stuck}:
            vitals.happened(sign, clock.monotonic())
        answer, body = asked(server, "/livez")
        assert answer.status == 503
        assert json.loads(body)["reasons"] == [f"{stuck} has not moved for 60 s"]
        assert asked(server, "/readyz")[0].status == 503


def test_a_database_that_is_away_leaves_a_worker_live_and_not_ready() -> None:
    vitals, clock = Vitals(), FastClock()
    at_work(vitals, clock)
    vitals.trouble("database", "The database takes no reports: OperationalError")
    vitals.trouble("secret", "Endpoints cannot be observed (secret): orders")
    with serving(vitals, clock) as server:
        assert asked(server, "/livez")[0].status == 200
        answer, body = asked(server, "/readyz")
        assert answer.status == 503
        assert json.loads(body)["reasons"] == ["database: The database takes no reports: OperationalError"]


def test_a_worker_that_has_not_reached_its_database_yet_is_not_ready() -> None:
    vitals = Vitals()
    with serving(vitals, SystemClock()) as server:
        assert asked(server, "/livez")[0].status == 200
        assert asked(server, "/readyz")[0].status == 503


async def test_a_loop_that_is_blocked_does_not_block_the_answer() -> None:
    vitals, clock = Vitals(), FastClock()
    at_work(vitals, clock)
    with serving(vitals, clock) as server:
        seen: list[int] = []
        asker = threading.Thread(target=lambda: seen.append(asked(server, "/livez")[0].status))
        asker.start()
        asker.join(20)  # the loop is held up meanwhile
        assert seen == [200]


def test_whoever_says_nothing_holds_nobody_up_for_long() -> None:
    vitals, clock = Vitals(), FastClock()
    at_work(vitals, clock)
    with serving(vitals, clock) as server:
        silent = [socket.create_connection(server.address, timeout=5) for _ in range(AT_ONCE + 4)]
        dropped: set[socket.socket] = set()
        while len(dropped) < 4:
            dropped.update(select.select([each for each in silent if each not in dropped], [], [], 20)[0])
        assert [each.recv(1) for each in dropped] == [b""] * 4
        for each in silent:
            each.close()


def test_an_address_that_is_taken_names_the_way_out() -> None:
    with serving(Vitals(), SystemClock()) as server, pytest.raises(CannotListen, match=r"status\.port"):
        StatusServer(*server.address, status=Status(Vitals(), SystemClock()), metrics=bytes)
