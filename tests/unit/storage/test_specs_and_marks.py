"""Values that travel through a column come back equal."""

import json
from datetime import UTC, datetime

import pytest

from checks.encode import as_json
from checks.model import ClientAuth, Endpoint, OAuth, OnRequest, Opener, SigV4, Verdict
from checks.spec import Era, Transport
from prober.storage.marks import mark_of, verdicts_of
from prober.storage.specs import endpoint_of, opener_of, spec_of

ENDPOINT = Endpoint(name="shop", url="https://shop.example/mcp")


def test_an_endpoint_of_an_older_release_gets_the_defaults_of_this_one() -> None:
    assert endpoint_of({"name": "shop", "url": "https://shop.example/mcp"}) == ENDPOINT


def test_every_credential_of_an_endpoint_comes_back_equal() -> None:
    endpoint = Endpoint(
        name="shop",
        url="https://shop.example/mcp",
        oauth=OAuth(
            token_url="https://login.example/token",
            client_id="prober",
            client_secret="aws-ssm:/mcp/secret",
            scope="a b",
            resource="https://shop.example/",
            client_auth=ClientAuth.POST,
        ),
        token_header="X-App-Token",
        sigv4=SigV4(service="lambda", region="eu-central-1"),
        on_request=(OnRequest.TASKS,),
        browser_origins=("https://app.example",),
        full_every_s=None,
        cold_every_s=21_600.0,
        cool_down_s=900.0,
        client_timeout_s=10.0,
        slow_after_s=0.8,
        function="orders",
    )
    assert endpoint_of(json.loads(json.dumps(spec_of(endpoint)))) == endpoint
    assert endpoint_of(spec_of(ENDPOINT)) == ENDPOINT


def test_what_a_newer_release_added_is_left_out() -> None:
    assert endpoint_of({**spec_of(ENDPOINT), "colour": "green"}) == ENDPOINT


def test_what_is_no_endpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="transport"):
        endpoint_of({**spec_of(ENDPOINT), "transport": "carrier pigeon"})


def test_an_opener_comes_back_equal() -> None:
    opener = Opener(
        transport=Transport.SSE,
        era=Era.HANDSHAKE,
        protocol_version="2024-11-05",
        reason="endpoint event",
        chosen_at=datetime(2026, 1, 31, tzinfo=UTC),
    )
    assert opener_of(as_json(opener)) == opener
    assert opener_of(None) is None


def test_every_verdict_has_a_letter_of_its_own() -> None:
    letters = "".join(mark_of(verdict) for verdict in Verdict)
    assert len(letters) == len(Verdict)
    assert verdicts_of(letters) == tuple(Verdict)
