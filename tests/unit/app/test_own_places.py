"""Which addresses the prober counts as its own."""

import pytest

from prober.app.own_places import own_places
from prober.settings import StatusSettings


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


@pytest.mark.parametrize(
    ("status", "places"),
    [
        (StatusSettings(), ()),
        (StatusSettings(port=9464), (("127.0.0.1", 9464),)),
        (StatusSettings(host="::", port=9464), (("::", 9464),)),
    ],
)
def test_the_status_of_a_worker_counts_where_it_is_served(
    status: StatusSettings, places: tuple[tuple[str, int], ...]
) -> None:
    assert own_places("postgresql:///prober", status=status) == places
