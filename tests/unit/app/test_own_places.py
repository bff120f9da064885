"""Which addresses the prober counts as its own."""

import pytest

from prober.app.own_places import own_places


@pytest.mark.parametrize(
    ("url", "places"),
    [
        ("postgresql+psycopg://u:p@127.0.0.1:5433/prober", (("127.0.0.1", 5433),)),
        ("postgresql://localhost/prober", (("127.0.0.1", 5432),)),
        ("postgresql://[::1]:6000/prober", (("::1", 6000),)),
        ("postgresql://db.example.com/prober", ()),
        ("postgresql:///prober?host=/var/run/postgresql", ()),
    ],
)
def test_a_database_counts_where_its_address_says_where_it_is(url: str, places: tuple[tuple[str, int], ...]) -> None:
    assert own_places(url) == places
