"""What it takes to get from the registered endpoints to the wanted ones."""

from dataclasses import replace

from checks.model import Endpoint
from prober.endpoints.registry import changes

A, B, C = (Endpoint(name=name, url=f"https://{name}.example/") for name in "abc")


def test_added_changed_and_removed_endpoints_are_told_apart() -> None:
    slower = replace(B, interval_s=300.0)
    found = changes([A, B], [slower, C])
    assert (found.added, found.changed, found.removed) == ((C,), (slower,), (A,))
    assert str(found) == "added c; changed b; removed a"


def test_the_same_endpoints_are_no_change() -> None:
    found = changes([A, B], [B, replace(A, labels={})])
    assert not found
    assert str(found) == "nothing changed"


def test_a_new_name_is_another_endpoint() -> None:
    renamed = replace(A, name="z")
    found = changes([A], [renamed])
    assert (found.added, found.removed) == ((renamed,), (A,))
