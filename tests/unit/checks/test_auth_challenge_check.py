"""What a client without credentials learns, judged by the rules of the revision and by what kind of key is meant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.challenges import HEADER_REMAPPED
from checks.detectors.auth import auth_challenge_remapped, auth_required
from checks.model import (
    CheckResult,
    ClientAuth,
    Effect,
    Endpoint,
    Evidence,
    Exchange,
    Failure,
    OAuth,
    Opening,
    Outcome,
    SigV4,
)
from checks.protocol.auth_challenge import auth_challenge
from checks.spec import Era
from checks.unit import CheckContext
from checks.wire import Alteration
from tests.unit.checks.conversations import (
    URL,
    ScriptedWire,
    endpoint,
    error,
    exchange,
    failed,
    judge,
    opened,
    refused,
    run,
    tool_page,
)

BEARER = endpoint(bearer="env:TOKEN")
OAUTH = endpoint(
    oauth=OAuth(
        token_url="https://login.example.com/token",
        client_id="prober",
        client_secret="env:SECRET",
        client_auth=ClientAuth.BASIC,
    )
)
KEY = endpoint(headers={"X-Api-Key": "env:KEY"})
UNNAMED_KEY = endpoint(headers={"X-Code": "aws-ssm:/code"})
SIGNED = endpoint(sigv4=SigV4())

ORIGIN = "https://orders.example.com"
AT_PATH = f"{ORIGIN}/.well-known/oauth-protected-resource/mcp"
AT_ROOT = f"{ORIGIN}/.well-known/oauth-protected-resource"
CHALLENGE = ("WWW-Authenticate", f'Bearer error="invalid_token", resource_metadata="{AT_PATH}"')
DOCUMENT = {"resource": URL, "authorization_servers": ["https://login.example.com"]}

OLD = opened(era=Era.HANDSHAKE, version="2025-06-18")
OLDER = opened(era=Era.HANDSHAKE, version="2025-03-26")
OLDEST = opened(era=Era.HANDSHAKE, version="2024-11-05")


def denied(status: int = 401, *headers: tuple[str, str], body: bytes = b"", **more: Any) -> Exchange:
    return exchange(**{"status": status, "media": "text/plain", "headers": headers, "body": body, **more})


def document(value: Any = DOCUMENT, url: str = AT_PATH, **more: Any) -> Exchange:
    return exchange(None, **{"messages": [value], "url": url, **more})


def missing(url: str = AT_PATH, status: int = 404, **more: Any) -> Exchange:
    return exchange(None, **{"status": status, "media": "text/plain", "body": b"Not Found", "url": url, **more})


def foreign(url: str) -> Exchange:
    return failed(Failure.BLOCKED, "foreign-origin", method=None, url=url)


def asked(
    *answers: Exchange, watched: Endpoint = BEARER, opening: Opening | None = None, documents: tuple[Exchange, ...] = ()
) -> tuple[CheckResult, ScriptedWire]:
    wire = ScriptedWire(opening or opened(), answers, others=documents)
    return run(auth_challenge.run, CheckContext(endpoint=watched, wire=wire)), wire


def test_a_challenge_that_leads_to_a_sound_document_passes() -> None:
    result, wire = asked(denied(401, CHALLENGE), documents=(document(),))

    assert result.outcome is Outcome.PASS
    assert result.findings == ()
    assert wire.asked == [("tools/list", None, False)]
    assert wire.alterations == [Alteration(with_credentials=False)]
    assert wire.asked_otherwise == [("fetch", AT_PATH)]
    assert result.facts == {
        "status": 401,
        "exchange": result.exchanges[0].id,
        "open": False,
        "schemes": ["bearer"],
        "remapped": False,
        "resource_metadata": AT_PATH,
        "metadata": "found",
        "resource": "same",
        "authorization_servers": ["https://login.example.com"],
    }


@pytest.mark.parametrize("opening", [opened(), opened(era=Era.HANDSHAKE, version="2025-11-25")])
def test_without_an_address_in_the_challenge_the_well_known_places_are_asked_in_order(opening: Opening) -> None:
    result, wire = asked(denied(), opening=opening, documents=(missing(), document(url=AT_ROOT)))

    assert result.outcome is Outcome.PASS
    assert wire.asked_otherwise == [("fetch", AT_PATH), ("fetch", AT_ROOT)]


def test_an_endpoint_at_the_root_has_one_well_known_place() -> None:
    watched = endpoint(url=f"{ORIGIN}/", bearer="env:TOKEN")

    _, wire = asked(denied(), watched=watched, documents=(missing(AT_ROOT),))

    assert wire.asked_otherwise == [("fetch", AT_ROOT)]


@pytest.mark.parametrize(
    ("resource", "match", "outcome"),
    [
        (URL, "same", Outcome.PASS),
        (URL + "/", "same", Outcome.PASS),
        ("https://ORDERS.example.com:443/mcp", "same", Outcome.PASS),
        (ORIGIN, "parent", Outcome.PASS),
        (f"{ORIGIN}/m", "other", Outcome.WARN),
        (f"{ORIGIN}/mcp/v2", "other", Outcome.WARN),
        (f"{ORIGIN}/mcp?tenant=a", "other", Outcome.WARN),
        ("http://orders.example.com/mcp", "other", Outcome.WARN),
        ("https://other.example.com/mcp", "other", Outcome.WARN),
        ("https://[", "other", Outcome.WARN),
    ],
)
def test_the_document_must_be_of_this_endpoint(resource: str, match: str, outcome: Outcome) -> None:
    result, _ = asked(denied(401, CHALLENGE), documents=(document({**DOCUMENT, "resource": resource}),))

    assert (result.facts["resource"], result.outcome) == (match, outcome)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"authorization_servers": ["https://a.example"]}, "does not say of which resource"),
        ({"resource": URL}, "lists no authorization_servers"),
        ({"resource": URL, "authorization_servers": []}, "lists no authorization_servers"),
        ({"resource": URL, "authorization_servers": "https://a.example"}, "lists no authorization_servers"),
        ({"resource": URL, "authorization_servers": [7]}, "is no https URL: 7"),
        ({"resource": URL, "authorization_servers": ["http://a.example"]}, "is no https URL"),
    ],
)
def test_a_document_that_clients_cannot_use_is_a_warning_with_its_rule(value: Any, said: str) -> None:
    result, _ = asked(denied(401, CHALLENGE), documents=(document(value),))

    assert result.outcome is Outcome.WARN
    assert [said in finding.text for finding in result.findings] == [True]
    assert all((finding.rule or "").startswith("https://") for finding in result.findings)


@pytest.mark.parametrize(
    "answer", [missing(), document("text"), document([1]), missing(status=200), missing(status=500)]
)
def test_an_address_that_leads_nowhere_is_a_warning(answer: Exchange) -> None:
    result, _ = asked(denied(401, CHALLENGE), documents=(answer,))

    assert (result.outcome, result.facts["metadata"]) == (Outcome.WARN, "missing")
    assert "cannot find out where to log in" in result.findings[0].text
    assert "authorization-server-discovery" in (result.findings[0].rule or "")


def test_a_gateway_that_serves_nothing_beside_its_stage_is_named() -> None:
    body = b'{"message":"Missing Authentication Token"}'
    at_root = missing(AT_ROOT, status=403, media="application/json", body=body)

    result, _ = asked(denied(), documents=(missing(), at_root))

    assert "a stage of API Gateway serves nothing beside itself" in result.findings[0].text


def test_an_address_of_another_origin_is_named_and_not_followed() -> None:
    for elsewhere in ("https://login.example.com/meta", "http://orders.example.com/meta"):
        challenge = ("WWW-Authenticate", f'Bearer resource_metadata="{elsewhere}"')

        result, wire = asked(denied(401, challenge), documents=(foreign(elsewhere),))

        assert (result.outcome, result.facts["metadata"]) == (Outcome.WARN, "foreign")
        assert elsewhere in result.findings[0].text
        assert len(wire.asked_otherwise) == 1


def test_what_is_no_address_is_named_and_clients_look_elsewhere() -> None:
    result, wire = asked(denied(401, ("WWW-Authenticate", "Bearer resource_metadata=/x")), documents=(document(),))

    assert wire.asked_otherwise == [("fetch", AT_PATH)]
    assert "no address: “/x”" in result.findings[0].text


def test_the_revision_of_june_2025_demands_the_address_in_the_challenge() -> None:
    result, _ = asked(denied(), opening=OLD, documents=(document(),))

    assert result.outcome is Outcome.WARN
    assert "names no resource_metadata" in result.findings[0].text
    assert "/2025-06-18/basic/authorization#authorization-server-location" in (result.findings[0].rule or "")


def test_the_revision_of_march_2025_looks_for_the_authorization_server_and_can_do_without() -> None:
    place = f"{ORIGIN}/.well-known/oauth-authorization-server"
    found, wire = asked(denied(), opening=OLDER, documents=(document({"issuer": ORIGIN}, url=place),))
    without, _ = asked(denied(), opening=OLDER, documents=(missing(place),))

    assert wire.asked_otherwise == [("fetch", place)]
    assert (found.outcome, without.outcome) == (Outcome.PASS, Outcome.PASS)
    assert without.facts["metadata"] == "missing"


def test_the_first_revision_knows_no_document() -> None:
    result, wire = asked(denied(), opening=OLDEST)

    assert (result.outcome, result.facts["metadata"]) == (Outcome.PASS, "not-sought")
    assert wire.asked_otherwise == []


@pytest.mark.parametrize("watched", [BEARER, OAUTH, KEY, UNNAMED_KEY, SIGNED])
def test_an_endpoint_that_answers_without_its_credentials_is_a_warning(watched: Endpoint) -> None:
    result, _ = asked(tool_page("add"), watched=watched)

    assert (result.outcome, result.facts["open"]) == (Outcome.WARN, True)
    assert "answered without the credentials" in result.findings[0].text


@pytest.mark.parametrize(
    ("watched", "answer"),
    [
        (SIGNED, denied(403, body=b'{"Message":"Forbidden. For troubleshooting"}', media="application/json")),
        (endpoint(sigv4=SigV4(), bearer="env:T"), denied(403, body=b'{"Message":"Forbidden. For"}')),
        (KEY, denied(403, body=b'{"message":"Forbidden"}', media="application/json")),
        (KEY, denied(401)),
        (KEY, exchange(status=200, messages=[error(-32001, "unauthorized")])),
        (KEY, denied(400)),
    ],
)
def test_a_refusal_is_all_that_is_expected_where_no_client_could_get_a_key(watched: Endpoint, answer: Exchange) -> None:
    result, wire = asked(answer, watched=watched)

    assert result.outcome is Outcome.PASS
    assert wire.asked_otherwise == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (denied(403, body=b'{"message":"Forbidden"}', media="application/json"), "before the server could say"),
        (denied(403, body=b"no"), "otherwise than with the 401"),
        (exchange(status=200, messages=[error(-32001, "unauthorized")]), "otherwise than with the 401"),
        (denied(404), "otherwise than with the 401"),
    ],
)
def test_a_token_owner_is_told_of_a_refusal_that_no_client_can_follow(answer: Exchange, said: str) -> None:
    result, _ = asked(answer, watched=OAUTH)

    assert result.outcome is Outcome.WARN
    assert said in result.findings[0].text
    assert "#error-handling" in (result.findings[0].rule or "")


@pytest.mark.parametrize(
    "answer",
    [
        failed(Failure.DEADLINE, "exhausted", method="tools/list"),
        failed(Failure.CONNECT, "refused", method="tools/list"),
        denied(429),
        denied(502),
        denied(307, ("Location", "/mcp/")),
        exchange(status=404, messages=[error(-32601, "Method not found")]),
    ],
)
def test_an_answer_that_is_not_about_credentials_says_nothing(answer: Exchange) -> None:
    assert asked(answer)[0].outcome is Outcome.SKIP


def test_a_refused_session_is_not_taken_for_a_refused_client() -> None:
    opening = opened(era=Era.HANDSHAKE, version="2025-11-25", has_session=True)

    assert asked(denied(404), opening=opening)[0].outcome is Outcome.SKIP


@pytest.mark.parametrize(
    "answer",
    [
        failed(Failure.DEADLINE, "exhausted", method=None),
        failed(Failure.CONNECTION_LOST, "reset", method=None),
        missing(status=429),
    ],
)
def test_a_document_that_could_not_be_fetched_says_nothing(answer: Exchange) -> None:
    result, _ = asked(denied(401, CHALLENGE), documents=(answer,))

    assert (result.outcome, result.facts["metadata"]) == (Outcome.SKIP, "unobserved")


def test_nothing_is_asked_without_a_reason_to() -> None:
    closed, _ = asked(opening=refused(exchange("initialize", status=500, media="text/plain", body=b"")))
    without, _ = asked(watched=endpoint(headers={"X-Stage": "beta", "X-Author": "shop", "X-Tokens-Per-Day": "9"}))

    assert closed.summary == "not asked: no conversation is open"
    assert without.summary == "not asked: no credentials are configured"
    assert (closed.outcome, without.outcome) == (Outcome.SKIP, Outcome.SKIP)


def test_a_server_without_tools_is_asked_something_else() -> None:
    wire = ScriptedWire(opened(), [denied(401, CHALLENGE, method="server/discover")], others=[document()])
    toolless = CheckResult(check="tools_list", outcome=Outcome.SKIP, summary="no tools")

    run(auth_challenge.run, CheckContext(endpoint=BEARER, wire=wire, results=(toolless,)))

    assert wire.asked[0][0] == "server/discover"


def test_the_401_of_an_opening_is_judged_without_asking_again() -> None:
    opening = refused(denied(401, CHALLENGE, method="server/discover"))

    result, wire = asked(watched=endpoint(), opening=opening, documents=(document(),))

    assert result.outcome is Outcome.PASS
    assert wire.asked == []
    assert result.facts["exchange"] == opening.exchanges[0].id
    assert [each.method for each in result.exchanges] == ["GET"]


def test_a_renamed_challenge_is_seen_by_its_detector_whether_or_not_the_conversation_is_open() -> None:
    renamed = denied(401, (HEADER_REMAPPED, f'Bearer resource_metadata="{AT_PATH}"'))

    for opening, documents, effect in (
        (opened(), (missing(), missing(AT_ROOT)), Effect.DEGRADED),
        (opened(), (document(),), Effect.INFORMATION),
        (OLD, (missing(), missing(AT_ROOT)), Effect.DEGRADED),
    ):
        result, wire = asked(renamed, opening=opening, documents=documents)
        evidence = Evidence(endpoint=BEARER, opening=wire.opening, results=(result,))
        diagnosis = auth_challenge_remapped.diagnose(evidence)

        assert result.facts["remapped"]
        assert HEADER_REMAPPED in result.findings[0].text
        assert diagnosis is not None
        assert diagnosis.effect is effect
        assert diagnosis.evidence[0].exchange == result.exchanges[0].id
        assert "env:TOKEN" not in diagnosis.reproduce


def test_a_refused_opening_tells_what_a_client_learned() -> None:
    opening = refused(denied(401, CHALLENGE, method="initialize"))
    result, _ = asked(watched=endpoint(), opening=opening, documents=(document(),))
    listing = CheckResult(check="lifecycle", outcome=Outcome.FAIL, summary="x", exchanges=opening.exchanges)
    evidence = Evidence(endpoint=endpoint(), opening=opening, results=(listing, result))

    diagnosis = auth_required.diagnose(evidence)

    assert diagnosis is not None
    assert "the document that names the authorization servers is there" in diagnosis.evidence[-1].text


def test_a_missing_scope_is_named() -> None:
    challenge = ("WWW-Authenticate", 'Bearer error="insufficient_scope", scope="orders:read"')
    opening = refused(denied(403, challenge, method="initialize"))

    diagnosis = judge(opening, endpoint=BEARER).diagnosis("auth-rejected")

    assert "lack the scope orders:read" in diagnosis.summary
    assert diagnosis.confidence == 0.9


@pytest.mark.parametrize("watched", [OAUTH, SIGNED, UNNAMED_KEY])
def test_every_kind_of_credential_turns_a_401_into_a_rejection(watched: Endpoint) -> None:
    assert judge(refused(denied(401, method="initialize")), endpoint=watched).ids == ["auth-rejected"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["resource", "authorization_servers", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.text(max_size=80) | st.text(max_size=40).map(lambda text: f'Bearer resource_metadata="{text}"'),
    json_values,
    st.sampled_from([None, 200, 301, 404, 500]),
    st.sampled_from([200, 401, 403, 418]),
)
def test_nothing_that_a_server_says_raises(header: str, value: Any, status: int | None, refusal: int) -> None:
    fetched = [exchange(None, status=status, messages=[value] if status else (), body=b"{}") for _ in range(3)]
    answer = denied(refusal, ("WWW-Authenticate", header), (HEADER_REMAPPED, header))

    result, _ = asked(answer, documents=tuple(fetched))

    assert result.outcome in (Outcome.PASS, Outcome.WARN, Outcome.SKIP)
    for text in (result.summary, *(finding.text for finding in result.findings)):
        assert len(text) < 1500
