"""Addresses of databases: what is accepted, what is shown, what never is."""

import pytest

from prober.storage.database import DatabaseUrlError, normalise, open_engine, shown


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_spellings_are_accepted(scheme: str) -> None:
    url = f"{scheme}://user:p%40ss@db.example:6543/prober?sslmode=require"
    assert normalise(url) == "postgresql+psycopg://user:p%40ss@db.example:6543/prober?sslmode=require"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db.example",
        "mysql://u:hunter2@db/prober",
        "postgresql+asyncpg://u:hunter2@db/x",
        "postgres://u:hunter2@db:port/x",
    ],
)
def test_what_is_not_postgresql_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as raised:
        normalise(url)
    assert "hunter2" not in str(raised.value)
    assert "postgresql://user:password@host:5432/database" in str(raised.value)
    assert raised.value.__context__ is None or raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://user:hunter2@db.example:6543/prober?sslmode=require", "db.example:6543/prober"),
        ("postgresql://prober@:5432/prober?host=/run/prober", "/run/prober:5432/prober"),
        ("postgresql:///prober", "localhost/prober"),
    ],
)
def test_a_person_sees_the_place_alone(url: str, place: str) -> None:
    assert shown(url) == place


def test_an_engine_does_not_show_the_password() -> None:
    assert "hunter2" not in repr(open_engine("postgresql://user:hunter2@db.example/prober"))
