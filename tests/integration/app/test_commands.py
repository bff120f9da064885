"""What `up` and `worker` say when they cannot start, and how they end."""

import asyncio
import fcntl
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.app.up import UpOptions, up
from tests.integration.app.conftest import Configuration, Question, Running, Start, until


def ended(running: Running, within_s: float = 40) -> tuple[int, str]:
    status = running.process.wait(within_s)
    assert "Traceback" not in running.said
    return status, running.said


def test_a_broken_configuration_is_named_with_every_problem(start: Start, configuration: Configuration) -> None:
    configuration.path.write_text(
        "endpoints:\n"
        "  - {name: shop, url: 'ftp://shop.example/mcp'}\n"
        "  - {name: orders, url: 'https://orders.example/mcp', intervall: 5s}\n"
        "notifiers:\n"
        "  - {name: team, kind: carrier-pigeon}\n"
    )
    status, said = ended(start("up", "--config", str(configuration.path)))
    assert status == 2
    for line in (2, 3, 5):
        assert f"prober.yaml:{line}" in said
    assert "intervall" in said
    assert "notifier team: there is no such kind" in said


def test_a_configuration_that_is_not_there_is_named(start: Start) -> None:
    status, said = ended(start("up"))
    assert status == 2
    assert "prober.yaml" in said
    assert "mcp-prober init" in said


@pytest.mark.parametrize("command", [("up", "--no-dashboard"), ("worker",)])
def test_a_database_that_does_not_answer_is_no_fault_of_the_endpoints(
    start: Start, configuration: Configuration, command: tuple[str, ...]
) -> None:
    config = configuration.write({"shop": "http://127.0.0.1:9/mcp"})
    url = "postgresql://prober:pass-w0rd@127.0.0.1:9/prober"
    status, said = ended(start(*command, "--config", str(config), DATABASE_URL=url))
    assert status == 3
    assert "the database 127.0.0.1:9/prober is not available" in said
    assert "DATABASE_URL" in said
    assert "pass-w0rd" not in said


def test_a_worker_without_a_database_says_where_to_name_one(start: Start, configuration: Configuration) -> None:
    config = configuration.write({"shop": "http://127.0.0.1:9/mcp"})
    status, said = ended(start("worker", "--config", str(config), DATABASE_URL=""))
    assert status == 2
    assert "name it in DATABASE_URL" in said


def test_a_dashboard_for_everybody_and_a_taken_port_are_refused(start: Start, configuration: Configuration) -> None:
    config = configuration.write({"shop": "http://127.0.0.1:9/mcp"}, dashboard={"access": "open"})
    status, said = ended(start("up", "--config", str(config), "--host", "0.0.0.0"))
    assert status == 2
    assert "--insecure-no-auth" in said
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, said = ended(start("up", "--config", str(config), "--port", port))
    assert status == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in said


@pytest.mark.parametrize("command", [("up", "--no-dashboard"), ("worker",)])
def test_a_taken_port_of_the_status_is_said_before_anything_else_is_begun(
    start: Start, configuration: Configuration, command: tuple[str, ...]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configuration.write({"shop": "http://127.0.0.1:9/mcp"}, status={"port": port})
        nowhere = "postgresql://prober@127.0.0.1:9/prober"
        status, said = ended(start(*command, "--config", str(config), DATABASE_URL=nowhere))
    assert status == 2
    assert f"cannot be served on 127.0.0.1 port {port}: Address already in use" in said


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A directory that any user can enter; pytest's own is closed to the user that root's server runs as."""
    path = Path(tempfile.mkdtemp(prefix="prober-demo-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_a_demo_that_cannot_start_leaves_the_files_of_the_one_that_runs_alone(start: Start, data_dir: Path) -> None:
    directory = data_dir / "demo"
    database = directory / "postgres"
    database.mkdir(parents=True)
    followed = directory / "prober.yaml"
    followed.write_text("the other demo's")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, said = ended(start("demo", "--data-dir", str(data_dir), "--port", port))
    assert (status, f"port {port}" in said) == (2, True)
    with (database / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, said = ended(start("demo", "--data-dir", str(data_dir), "--port", "0"))
    assert status == 3
    assert "is in use by another prober" in said
    assert followed.read_text() == "the other demo's"
    assert sorted(path.name for path in directory.iterdir()) == ["postgres", "prober.yaml"]


async def test_what_cannot_be_announced_leaves_no_probing_behind(
    configuration: Configuration, database_url: str, tmp_path: Path
) -> None:
    def into_a_closed_pipe(_: object) -> None:
        raise BrokenPipeError

    config = configuration.write({"shop": "http://127.0.0.1:9/mcp"})
    wanted = UpOptions(config=config, data_dir=tmp_path, dashboard=False, environment={"DATABASE_URL": database_url})
    with pytest.raises(BrokenPipeError):
        await up(wanted, asyncio.Event(), into_a_closed_pipe)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_prober_ends_soon_although_aws_does_not_answer(
    start: Start, configuration: Configuration, database_url: str, ask: Question, deaf: str
) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alerts"
    config = configuration.write(
        {"shop": "http://127.0.0.1:9/mcp"},
        incidents={"fail_after": 1},
        notifiers=[{"name": "pager", "kind": "sns", "topic_arn": topic}],
        cloudwatch={"enabled": True, "region": "eu-central-1", "flush": "1s"},
    )
    running = start(
        "up", "--no-dashboard", "--summary", "--config", str(config),
        DATABASE_URL=database_url, AWS_ENDPOINT_URL=deaf, AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing",
    )  # fmt: skip
    until(lambda: ask("select 1 from notice where lease_owner is not null"), 30, "a notice is being sent")
    until(
        lambda: "1 endpoint, 1 down\n  down      shop  connect-failure: " in running.out.read_text(),
        10,
        "a summary is printed",
    )
    status, took = running.end(signal.SIGINT)
    assert status == 0, running.said
    assert took < 20
    assert "Traceback" not in running.said
