"""The matrix of eras and revisions: what is served, what is counter-offered, and which clients that lets in."""

from collections.abc import Mapping

import pytest

from checks.model import Exchange, Failure, Opening, Outcome, Verdict
from checks.protocol.eras import eras
from checks.spec import META_VERSION, Era, Transport
from tests.unit.checks.conversations import (
    Judged,
    discovered,
    endpoint,
    error,
    exchange,
    failed,
    initialized,
    judge,
    notified,
    ok,
    opened,
    refused,
    tool_page,
)
from tests.unit.checks.full_profile import ask, refusal

HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
OFFERED = {"_meta": {META_VERSION: "2026-07-28"}}
STATELESS_ALONE = {"supported": ["2026-07-28"], "requested": "2025-11-25"}


def answering(answers: Mapping[str, str]) -> dict[str, Opening]:
    """Openings beside the main one, by offered revision, each answered with a revision."""
    return {
        offer: opened(initialized(answer), notified(), era=Era.HANDSHAKE, version=answer)
        for offer, answer in answers.items()
    }


def echoing(*served: str, otherwise: str = "2025-11-25") -> dict[str, Opening]:
    """A server that answers each of these revisions with itself, and counter-offers for the others."""
    return answering({offer: offer if offer in served else otherwise for offer in HANDSHAKES})


def by_discover() -> Opening:
    return opened(discovered(request=OFFERED))


def by_initialize(*before: Exchange, version: str = "2025-11-25", offer: str = "2025-11-25") -> Opening:
    shaken = initialized(version, request={"protocolVersion": offer})
    return opened(*before, shaken, notified(), era=Era.HANDSHAKE, version=version)


def said(judged: Judged) -> dict[str, str]:
    return {revision: fact["said"] for revision, fact in judged.results[-1].facts["revisions"].items()}


def connecting(judged: Judged) -> list[str]:
    return [row["connect"] for row in judged.results[-1].facts["clients"]]


def test_a_server_of_both_eras_lets_every_client_in() -> None:
    judged = ask(eras, by_discover(), beside=echoing(*HANDSHAKES))

    result = judged.results[-1]
    assert (result.outcome, result.findings, judged.ids) == (Outcome.PASS, (), [])
    assert said(judged) == dict.fromkeys((*HANDSHAKES, "2026-07-28"), "served")
    assert result.facts["clients"] == [
        {"clients": "stateless-era clients (2026-07-28)", "connect": "yes", "detail": "served"},
        {
            "clients": "handshake-era clients that take a counter-offer",
            "connect": "yes",
            "detail": "where they speak 2024-11-05, 2025-03-26, 2025-06-18 or 2025-11-25",
        },
        {
            "clients": "handshake-era clients that take only what they offer",
            "connect": "yes",
            "detail": "where they offer 2024-11-05, 2025-03-26, 2025-06-18 or 2025-11-25",
        },
    ]
    assert (result.facts["transport"], result.facts["echo_violations"]) == ("streamable-http", [])
    assert judged.wire.asked_otherwise == [("open_beside", Era.HANDSHAKE, revision) for revision in HANDSHAKES]


def test_a_counter_offer_is_no_fault() -> None:
    beside = answering(dict.fromkeys(HANDSHAKES, "2024-11-05")) | {
        "2026-07-28": refused(refusal(-32601, "Method not found", 404, "server/discover"))
    }
    judged = ask(eras, by_initialize(version="2024-11-05"), beside=beside)

    assert (judged.results[-1].outcome, judged.ids) == (Outcome.PASS, [])
    assert judged.results[-1].summary == (
        "served: 2024-11-05; counter-offered: 2025-03-26, 2025-06-18, 2025-11-25; refused: 2026-07-28"
    )
    assert said(judged) == {
        "2024-11-05": "served",
        "2025-03-26": "counter-offered 2024-11-05",
        "2025-06-18": "counter-offered 2024-11-05",
        "2025-11-25": "counter-offered 2024-11-05",
        "2026-07-28": "refused: JSON-RPC error -32601 on HTTP 404: Method not found",
    }
    assert connecting(judged) == ["no", "yes", "yes"]
    assert judged.results[-1].facts["clients"][1]["detail"] == "where they speak 2024-11-05"


def test_what_the_open_conversation_has_seen_is_not_asked_again() -> None:
    tried = exchange("server/discover", status=405, media="text/plain", body=b"no", request=OFFERED)

    judged = ask(eras, by_initialize(tried), beside=echoing(*HANDSHAKES))

    assert [revision for _, _, revision in judged.wire.asked_otherwise] == ["2024-11-05", "2025-03-26", "2025-06-18"]
    assert said(judged)["2026-07-28"].startswith("refused: HTTP 405")
    assert judged.results[-1].facts["revisions"]["2026-07-28"]["exchange"] == tried.id


def test_what_the_open_conversation_could_not_see_is_asked_again() -> None:
    unseen = failed(Failure.CONNECTION_LOST, "reset", request=OFFERED)
    beside = echoing(*HANDSHAKES) | {"2026-07-28": opened(discovered())}

    judged = ask(eras, by_initialize(unseen), beside=beside)

    assert said(judged)["2026-07-28"] == "served"


def test_a_modern_server_that_names_what_it_speaks_keeps_the_handshake_out_and_that_is_no_finding() -> None:
    refusals = refused(refusal(-32022, "Unsupported protocol version", method="initialize", data=STATELESS_ALONE))

    judged = ask(eras, by_discover(), beside=dict.fromkeys(HANDSHAKES, refusals))

    assert (judged.results[-1].outcome, judged.ids) == (Outcome.PASS, [])
    assert connecting(judged) == ["yes", "no", "no"]
    assert said(judged)["2025-11-25"].startswith("refused: JSON-RPC error -32022")


@pytest.mark.parametrize("pin", [{"era": Era.HANDSHAKE}, {"protocol_version": "2025-11-25"}])
def test_a_server_that_its_owner_keeps_from_discovery_is_not_asked_for_it(pin: dict[str, str]) -> None:
    judged = ask(eras, by_initialize(), endpoint=endpoint(**pin), beside=echoing(*HANDSHAKES))

    assert (
        said(judged)["2026-07-28"] == "not observed: not asked, because the endpoint's settings pin the handshake era"
    )
    assert ("open_beside", Era.STATELESS, "2026-07-28") not in judged.wire.asked_otherwise
    assert judged.results[-1].outcome is Outcome.PASS


def test_over_the_older_transport_only_handshakes_are_tried() -> None:
    shaken = initialized("2025-11-25", status=202, media="text/plain", request={"protocolVersion": "2025-11-25"})
    opening = opened(shaken, era=Era.HANDSHAKE, transport=Transport.SSE)

    judged = ask(eras, opening, beside=echoing(*HANDSHAKES))

    assert list(said(judged)) == list(HANDSHAKES)
    assert connecting(judged) == ["no", "yes", "yes"]
    assert judged.results[-1].facts["clients"][0]["detail"] == "HTTP+SSE carries only the handshake"


def test_a_revision_that_answers_other_offers_and_not_its_own_breaks_the_echo_rule() -> None:
    answers = {
        "2024-11-05": "2025-03-26",
        "2025-03-26": "2025-11-25",
        "2025-06-18": "2025-06-18",
        "2025-11-25": "2025-11-25",
    }
    beside = answering(answers)

    judged = ask(eras, by_discover(), beside=beside)

    result, diagnosis = judged.results[-1], judged.diagnosis("protocol-version-mismatch")
    assert (result.outcome, judged.ids, judged.verdict) == (
        Outcome.WARN,
        ["protocol-version-mismatch"],
        Verdict.DEGRADED,
    )
    assert result.facts["echo_violations"] == ["2025-03-26"]
    assert result.findings[0].text == (
        "answers 2025-03-26 where 2024-11-05 is offered, but where 2025-03-26 itself is: counter-offered 2025-11-25"
    )
    assert result.findings[0].rule == (
        "https://modelcontextprotocol.io/specification/2025-03-26/basic/lifecycle#version-negotiation"
    )
    assert diagnosis.summary.startswith("Echo-rule violation: the server speaks 2025-03-26")
    shown = beside["2025-03-26"].exchanges[0].id, beside["2024-11-05"].exchanges[0].id
    assert [proof.exchange for proof in diagnosis.evidence] == list(shown)


def test_a_revision_that_answers_other_offers_and_is_refused_breaks_the_echo_rule_too() -> None:
    beside = echoing("2024-11-05", otherwise="2025-06-18") | {
        "2025-06-18": refused(refusal(-32602, "Unsupported protocol version", 200, "initialize"))
    }

    judged = ask(eras, by_discover(), beside=beside)

    assert judged.ids == ["protocol-version-mismatch"]
    assert len(judged.results[-1].findings) == 1


def test_an_error_instead_of_a_counter_offer_is_a_finding_that_names_the_contradiction() -> None:
    beside = echoing(*HANDSHAKES) | {
        "2024-11-05": refused(refusal(-32602, "Unsupported protocol version", 200, "initialize"))
    }

    judged = ask(eras, by_discover(), beside=beside)

    assert (judged.results[-1].outcome, judged.ids, judged.verdict) == (Outcome.WARN, [], Verdict.UP)
    assert "one of its examples shows an error" in judged.results[-1].findings[0].text


@pytest.mark.parametrize(
    "silence",
    [
        refused(failed(Failure.DEADLINE, "exhausted", "initialize")),
        refused(exchange("initialize", status=429, media="text/plain", body=b"")),
        refused(exchange("initialize", status=502, media="text/plain", body=b"Internal Server Error")),
        refused(exchange("initialize", status=401, media="text/plain", body=b"")),
        refused(),
    ],
)
def test_what_was_not_observed_is_no_refusal(silence: Opening) -> None:
    nothing = ask(eras, by_discover(), beside=dict.fromkeys(HANDSHAKES, silence))
    alone = ask(eras, opened(), beside={**dict.fromkeys(HANDSHAKES, silence), "2026-07-28": silence})

    assert connecting(nothing) == ["yes", "unknown", "unknown"]
    assert (nothing.results[-1].outcome, nothing.ids) == (Outcome.PASS, [])
    assert said(nothing)["2025-11-25"].startswith("not observed: ")
    assert (alone.results[-1].outcome, connecting(alone)) == (Outcome.SKIP, ["unknown"] * 3)


def test_a_discovery_that_does_not_list_the_revision_is_a_refusal() -> None:
    listing = exchange("server/discover", messages=[ok({"supportedVersions": ["2025-11-25"]})])

    judged = ask(eras, by_initialize(), beside=echoing(*HANDSHAKES) | {"2026-07-28": refused(listing)})

    assert said(judged)["2026-07-28"] == 'refused: server/discover lists ["2025-11-25"]'
    assert connecting(judged)[0] == "no"


def test_a_result_without_a_revision_is_a_refusal() -> None:
    shapeless = refused(exchange("initialize", messages=[ok({"protocolVersion": "9" * 90_000})]))

    judged = ask(eras, by_discover(), beside=dict.fromkeys(HANDSHAKES, shapeless))

    assert said(judged)["2025-11-25"].startswith("refused: a JSON-RPC result")
    assert all(len(words) < 400 for words in said(judged).values())


def test_without_a_conversation_nothing_is_opened_beside_it() -> None:
    judged = ask(eras, Opening())

    assert judged.results[-1].summary == "not asked: no conversation is open"
    assert judged.wire.asked_otherwise == []


REFUSED = exchange("server/discover", status=400, messages=[error(-32600, "Unsupported protocol version: 2026-07-28")])


@pytest.mark.parametrize("pin", [{"era": Era.STATELESS}, {"protocol_version": "2026-07-28"}])
def test_a_pinned_era_that_is_refused_where_the_other_opens_is_degraded(pin: dict[str, str]) -> None:
    judged = judge(by_initialize(REFUSED), tool_page("add"), endpoint=endpoint(**pin))

    diagnosis = judged.diagnosis("era-unsupported")
    assert (judged.ids, judged.verdict) == (["era-unsupported"], Verdict.DEGRADED)
    assert diagnosis.summary.startswith("The endpoint is pinned to the stateless era, and only the handshake era opens")
    assert diagnosis.evidence[0].exchange == REFUSED.id
    assert diagnosis.reproduce.startswith("curl ")
    assert "`handshake`" in diagnosis.fix
    assert any("until a deploy" in other for other in diagnosis.alternatives)


@pytest.mark.parametrize("pin", [{"era": Era.HANDSHAKE}, {"protocol_version": "2025-06-18"}])
def test_a_pinned_handshake_that_is_refused_where_discovery_works_is_degraded(pin: dict[str, str]) -> None:
    turned_away = refusal(-32022, "Unsupported protocol version", method="initialize", data=STATELESS_ALONE)

    judged = judge(opened(turned_away, discovered()), tool_page("add"), endpoint=endpoint(**pin))

    assert (judged.ids, judged.verdict) == (["era-unsupported"], Verdict.DEGRADED)
    assert judged.diagnosis("era-unsupported").evidence[0].exchange == turned_away.id


def test_a_pinned_era_that_opens_says_nothing() -> None:
    assert judge(by_initialize(), tool_page("add"), endpoint=endpoint(era=Era.HANDSHAKE)).ids == []
    assert judge(by_discover(), tool_page("add"), endpoint=endpoint(era=Era.STATELESS)).ids == []
    assert judge(by_initialize(REFUSED), tool_page("add")).ids == []


def test_another_revision_of_the_pinned_era_is_a_version_mismatch() -> None:
    judged = judge(by_initialize(), tool_page("add"), endpoint=endpoint(protocol_version="2025-06-18"))

    assert judged.ids == ["protocol-version-mismatch"]
