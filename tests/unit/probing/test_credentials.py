"""What is sent for an endpoint's headers, and what may be shown of it."""

import pytest

from checks.model import Endpoint
from prober.probing.credentials import sent_headers
from prober.secrets.references import SecretError


def vault(reference: str) -> str:
    return {"env:TOKEN": "s3cret-value", "file:/run/key": "k3y-value"}[reference]


def test_references_are_resolved_and_shown_as_references() -> None:
    endpoint = Endpoint(
        name="orders",
        url="https://orders.example/mcp",
        headers={"X-Api-Key": "file:/run/key", "X-Tenant": "blue"},
        bearer="env:TOKEN",
    )
    sent = sent_headers(endpoint, vault)
    assert [(header.name, header.value, header.shown) for header in sent] == [
        ("X-Api-Key", "k3y-value", "${file:/run/key}"),
        ("X-Tenant", "blue", "blue"),
        ("Authorization", "Bearer s3cret-value", "Bearer ${env:TOKEN}"),
    ]
    assert [header.is_secret for header in sent] == [True, False, True]


def test_an_endpoint_without_headers_sends_none_of_its_own() -> None:
    assert sent_headers(Endpoint(name="orders", url="https://orders.example/mcp"), vault) == ()


@pytest.mark.parametrize("fields", [{"bearer": "env:GONE"}, {"headers": {"X-Api-Key": "env:GONE"}}])
def test_a_secret_that_is_not_to_be_had_is_no_header(fields: dict[str, object]) -> None:
    def nothing_there(reference: str) -> str:
        raise SecretError(f"{reference} is not set")

    endpoint = Endpoint(**{"name": "orders", "url": "https://orders.example/mcp", **fields})
    with pytest.raises(SecretError, match="env:GONE"):
        sent_headers(endpoint, nothing_there)
