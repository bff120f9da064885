"""The embedded server as processes: it survives kills, keeps others out, ends with its prober, needs no rights."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from prober.storage import embedded
from prober.storage.embedded import NAME, SOCKET_PATH_LIMIT, DirectoryUnusable, EmbeddedError, EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 15.0
PYTHON_ENVIRONMENT = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that any user can enter; pytest's own is closed to the user that root's server runs as."""
    path = Path(tempfile.mkdtemp(prefix="prober-embedded-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def server(data_dir: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(data_dir, settings={"fsync": "off"})


def ask(url: str, question: str = "select 1") -> object:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(question)  # type: ignore[arg-type] # the questions of these tests
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def until(holds: Callable[[], bool]) -> None:
    """Processes take their own time to end: look until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return ask(url) == 1
    except psycopg.OperationalError:
        return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def prober(data_dir: Path, python: str = sys.executable, **options: object) -> subprocess.Popen[str]:
    """Another process that starts the server, says its address and process id, and then waits."""
    code = (
        "import sys; from pathlib import Path; from prober.storage.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(Path(sys.argv[1]))\n"
        "print(server.start(), server.pid, flush=True); sys.stdin.read(); server.stop()"
    )
    return subprocess.Popen(
        [python, "-c", code, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=PYTHON_ENVIRONMENT,
        **options,  # type: ignore[call-overload] # user and group, where a test is about them
    )


def test_what_is_written_is_there_after_a_restart(directory: Path) -> None:
    with server(directory / "made" / "below") as first:
        ask(first.url, "create table kept as select 41 + 1 as answer")
    with server(directory / "made" / "below") as second:
        assert ask(second.url, "select answer from kept") == 42
        assert ask(second.url, "select datlocale from pg_database where datname = current_database()") == "C.UTF-8"
        assert ask(second.url, "select current_database()") == NAME
    assert not answers(second.url)


def test_a_second_prober_on_the_same_directory_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.directory, "START_RETRIED_S", 0.2)
    with server(directory / "data") as running:
        with pytest.raises(EmbeddedError) as raised:
            server(directory / "data").start()
        assert answers(running.url), "the first one is not disturbed"
    message = str(raised.value)
    assert str(directory / "data") in message
    assert f"process {os.getpid()}" in message
    assert "--data-dir" in message


def test_a_server_that_is_killed_comes_back_with_all_that_was_committed(directory: Path) -> None:
    with server(directory) as running:
        ask(running.url, "create table kept as select generate_series(1, 1000)")
        killed = running.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        until(lambda: running.pid not in (None, killed) and answers(running.url))
        assert ask(running.url, "select count(*) from kept") == 1000


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_killed_prober_leaves_no_server_behind_and_the_next_one_starts(directory: Path) -> None:
    process = prober(directory / "data")
    assert process.stdout is not None
    url, pid = process.stdout.readline().split()
    ask(url, "create table kept as select 1 as one")
    process.kill()
    process.wait()
    with server(directory / "data") as next_one:
        assert ask(next_one.url, "select one from kept") == 1
    until(lambda: not is_alive(int(pid)))


def test_a_process_id_that_belongs_to_somebody_else_now_does_not_keep_the_server_down(directory: Path) -> None:
    with server(directory) as running:
        ask(running.url)
    lines = (os.getppid(), directory / "cluster", 1, 5432, "", "", "", "ready")
    (directory / "cluster" / "postmaster.pid").write_text("".join(f"{line}\n" for line in lines))
    with server(directory) as again:
        assert answers(again.url)


def test_a_start_that_was_killed_while_it_made_the_database_is_made_again(directory: Path) -> None:
    half = directory / "cluster.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18")
    with server(directory) as running:
        assert answers(running.url)


def test_ctrl_c_at_the_terminal_does_not_reach_the_making_of_the_database(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal signals the whole process group; the prober alone decides what is interrupted."""
    programs = directory / "programs" / "bin"
    programs.mkdir(parents=True)
    (programs / "initdb").write_text(
        '#!/bin/sh\nread -r _ _ _ _ group _ < /proc/$$/stat\necho "process group $group" >&2\nexit 1\n'
    )
    for name in ("initdb", "postgres"):
        (programs / name).touch()
        (programs / name).chmod(0o755)
    monkeypatch.setattr(embedded.programs, "installation", lambda: programs.parent)
    with pytest.raises(EmbeddedError, match=r"process group \d+") as raised:
        server(directory / "data").start()
    assert f"process group {os.getpgrp()}." not in str(raised.value)


def test_a_path_too_long_for_a_socket_gets_a_short_one(directory: Path) -> None:
    data_dir = directory / ("long" * 30)
    assert len(str(data_dir)) > SOCKET_PATH_LIMIT
    with server(data_dir) as running:
        assert answers(running.url)
        assert not (data_dir / "run").exists()


def test_nobody_else_can_enter_the_directory_of_the_socket(directory: Path) -> None:
    with server(directory):
        for part in ("run", "cluster"):
            assert stat.S_IMODE((directory / part).stat().st_mode) == 0o700


def test_it_listens_on_no_network(directory: Path) -> None:
    with server(directory) as running:
        assert ask(running.url, "show listen_addresses") == ""


def test_settings_of_the_environment_reach_neither_side(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGHOST", "192.0.2.1")
    with server(directory) as running:
        assert answers(running.url)


def test_files_of_another_major_version_are_refused_with_the_way_out(directory: Path) -> None:
    with server(directory):
        pass
    (directory / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 17.*--data-dir"):
        server(directory).start()


def test_a_server_that_cannot_start_says_why(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.keeper, "START_RETRIED_S", 0.2)
    with pytest.raises(EmbeddedError) as raised:
        EmbeddedPostgres(directory, settings={"no_such_setting": "1"}).start()
    assert "no_such_setting" in str(raised.value)
    assert "server.log" in str(raised.value)


def test_a_file_in_the_place_of_the_directory_is_named(directory: Path) -> None:
    (directory / "data").write_text("")
    with pytest.raises(DirectoryUnusable, match=r"data cannot be used.*--data-dir"):
        server(directory / "data").start()


def python_of_everybody(user: pwd.struct_passwd) -> str | None:
    """An interpreter of this version with which `user` can run this checkout: both may lie below root's home."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        try:
            said = subprocess.run(
                [candidate, "-c", "import prober, psycopg, sys; print(sys.version_info[:2])"],
                capture_output=True,
                text=True,
                check=False,
                cwd=ROOT,
                env=PYTHON_ENVIRONMENT,
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
            )
        except OSError:
            continue
        if said.stdout.strip() == str(sys.version_info[:2]):
            return candidate
    return None


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")


@as_root
def test_roots_server_belongs_to_a_user_without_rights(directory: Path) -> None:
    with server(directory) as running:
        assert running.pid is not None
        status = Path(f"/proc/{running.pid}/status").read_text()
        uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
        groups = next(line for line in status.splitlines() if line.startswith("Groups:")).split()[1:]
    assert "0" not in uids
    assert groups == []


@as_root
def test_an_ordinary_user_runs_it_too(directory: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    python = python_of_everybody(nobody)
    if python is None:
        pytest.skip("no Python of this version with which another user may run this checkout")
    process = prober(directory / "data", python, user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
    assert process.stdout is not None
    url, pid = process.stdout.readline().split()
    assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
    assert ask(url) == 1
    process.communicate("")
    assert process.returncode == 0
    with server(directory / "data") as root:
        assert answers(root.url), "root takes over the files of whoever made them"


@as_root
def test_a_directory_that_the_servers_user_cannot_enter_is_named_with_the_way_out(directory: Path) -> None:
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(DirectoryUnusable) as raised:
        server(closed / "data" / "deep").start()
    assert f"cannot enter {closed}" in str(raised.value)
    assert "--data-dir" in str(raised.value)
    assert list(closed.iterdir()) == [], "nothing is left behind"


@as_root
def test_programs_that_the_servers_user_cannot_reach_are_copied_once(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = embedded.programs.installation()
    closed = directory / "closed"
    closed.mkdir(mode=0o700)
    for part in (installed.parent, installed.parent.with_name(f"{installed.parent.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, closed / part.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    monkeypatch.setattr(embedded.programs, "installation", lambda: closed / installed.parent.name / installed.name)
    for _ in range(2):
        with server(directory / "data") as running:
            assert answers(running.url)
    assert len(list((directory / "data").glob("server-*"))) == 1
