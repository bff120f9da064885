"""`migrate` and `endpoints` on a real database."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from checks.model import Endpoint
from prober.cli import main
from prober.storage import endpoints, migrations
from prober.storage.database import open_engine

Said = tuple[int, str, str]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def run(*words: str) -> Said:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def register(url: str, *wanted: Endpoint) -> None:
    async def sync() -> None:
        db = open_engine(url)
        await endpoints.sync(db, wanted)
        await db.dispose()

    asyncio.run(sync())


def test_migrate_makes_the_schema_and_does_nothing_the_second_time(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Said]
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    code, out, _ = command("migrate")
    assert code == 0
    assert out.endswith(f" is at {migrations.head()}\n")
    assert migrations.current(empty_database_url) == migrations.head()
    assert command("migrate")[1].endswith(f" is at {migrations.head()} already\n")


def test_the_file_may_name_the_database_by_reference(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Callable[..., Said]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("MY_DATABASE", empty_database_url)
    path = tmp_path / "prober.yaml"
    path.write_text("{endpoints: [], database_url: 'env:MY_DATABASE'}")
    assert command("migrate", "--config", str(path))[0] == 0


def test_without_a_database_the_way_out_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Callable[..., Said]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for name in ("migrate", "endpoints"):
        code, out, err = command(name, "--data-dir", str(tmp_path))
        assert (code, out) == (2, "")
        assert err.startswith(
            "mcp-prober: error: no database is named, and no `mcp-prober up` runs one here\n  start it"
        )


def test_the_database_that_up_runs_is_found_by_its_files(
    monkeypatch: pytest.MonkeyPatch, postgres_url: str, command: Callable[..., Said]
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (socket_dir,) = parse_qs(urlsplit(postgres_url).query)["host"]
    code, out, _ = command("migrate", "--data-dir", str(Path(socket_dir).parents[1]))
    assert code == 0
    assert out.strip()


def test_a_database_that_does_not_answer_is_not_the_users_mistake(
    monkeypatch: pytest.MonkeyPatch, command: Callable[..., Said]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://prober:hunter2@127.0.0.1:1/prober")
    code, _, err = command("migrate")
    assert code == 3
    assert err.startswith("mcp-prober: error: the database 127.0.0.1:1/prober is not available")
    assert ": Connection refused. Check that it runs, that DATABASE_URL names it" in err
    assert "hunter2" not in err


def test_a_database_without_tables_is_told_how_to_get_them(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Said]
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    code, _, err = command("endpoints")
    assert code == 2
    assert "mcp-prober migrate" in err


def test_the_registered_endpoints_are_listed_with_their_verdicts(
    database_url: str, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Said]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert command("endpoints")[1].startswith("no endpoint is registered")
    register(
        database_url,
        Endpoint(name="orders", url="https://orders.example/mcp?key=hunter2", labels={"team": "a"}),
        Endpoint(name="off", url="https://off.example/mcp", enabled=False),
    )
    code, out, _ = command("endpoints")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["VERDICT", "ENDPOINT", "DIAGNOSIS", "LAST", "PROBE", "URL"],
        ["disabled", "off", "-", "never", "https://off.example/mcp"],
        ["unknown", "orders", "-", "never", "https://orders.example/mcp?[redacted]"],
    ]
    listed = json.loads(command("endpoints", "--format", "json")[1])
    assert listed["schema_version"] == 1
    assert [(each["name"], each["verdict"], each["enabled"]) for each in listed["endpoints"]] == [
        ("off", "unknown", False),
        ("orders", "unknown", True),
    ]
    assert "hunter2" not in json.dumps(listed)
