"""Servers that nobody here wrote: every kind is up and on its right axes, and only what breaks a rule is found.

Each server is probed at the standard profile after the full one: that it still serves then is part of every test of it.
(`mcp` 1.8 and 1.9 serve nobody any more once a client ends a session by DELETE.)
"""

from typing import Any

import httpx
import pytest

from tests.interop.conftest import Seen, Serve
from tests.interop.kinds import ADD, KINDS, Axes, kind_of
from tests.interop.observing import check

every_kind = pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
profile = pytest.mark.parametrize("profile", ["full", "standard"])


def complaints(report: dict[str, Any]) -> list[str]:
    """The diagnoses that say more than what is good to know."""
    return [f"{each['id']}: {each['summary']}" for each in report["diagnoses"] if each["effect"] != "information"]


def axes_of(report: dict[str, Any]) -> Axes:
    """The axes of a report, of a server whose results all come in one way."""
    axes = report["axes"]
    (replies,) = {mode for modes in axes["replies"].values() for mode in modes}
    return Axes(axes["era"], axes["protocol_version"], axes["transport"], axes["session"], replies)


def questions_for(axes: Axes) -> set[str]:
    """The checks of the full profile that have something to ask where a server is on these axes."""
    over_http, of_a_version = axes.transport == "streamable-http", axes.version >= "2025-06-18"
    applies = {
        "session": over_http and axes.session == "session",
        "versions": over_http and of_a_version,
        "headers": axes.era == "stateless",
    }
    always = {"lifecycle", "tools_list", "sentinel_call", "order", "capabilities", "eras"}
    return always | {check for check, does_apply in applies.items() if does_apply}


def answered(report: dict[str, Any]) -> set[str]:
    """The checks that came to a result."""
    return {each["id"] for each in report["checks"] if each["outcome"] != "skip"}


def is_found(result: dict[str, Any]) -> bool:
    """Whether a check says that something is not as it should be."""
    return result["outcome"] not in ("pass", "skip") or bool(result["findings"])


@every_kind
@profile
def test_a_server_is_up_and_answers_its_tool(seen: Seen, kind: str, profile: str) -> None:
    checked = getattr(seen(kind), profile)
    assert complaints(checked.report) == []
    assert (checked.code, checked.report["verdict"]) == (0, "up")
    outcomes = {each["id"]: each["outcome"] for each in checked.report["checks"]}
    assert outcomes["tools_list"] == "pass"
    assert outcomes["sentinel_call"] == "pass"


@every_kind
@profile
def test_a_server_is_on_its_five_axes(seen: Seen, kind: str, profile: str) -> None:
    assert axes_of(getattr(seen(kind), profile).report) == kind_of(kind).axes


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS if kind.by_handshake is not None])
def test_a_server_of_both_eras_is_as_well_by_handshake(seen: Seen, kind: str) -> None:
    checked = seen(kind).by_handshake
    assert (checked.code, checked.report["verdict"]) == (0, "up")
    axes = axes_of(checked.report)
    assert axes == kind_of(kind).by_handshake
    assert questions_for(axes) <= answered(checked.report)
    assert [each for each in checked.report["checks"] if is_found(each)] == []


@every_kind
def test_nothing_is_found_at_the_standard_profile(seen: Seen, kind: str) -> None:
    report = seen(kind).standard.report
    assert [each for each in report["checks"] if is_found(each)] == []


@every_kind
def test_the_full_profile_asks_all_that_applies(seen: Seen, kind: str) -> None:
    assert questions_for(kind_of(kind).axes) <= answered(seen(kind).full.report)


@every_kind
def test_the_full_profile_finds_what_breaks_a_rule_and_nothing_else(seen: Seen, kind: str) -> None:
    results = {each["id"]: each for each in seen(kind).full.report["checks"]}
    found = {
        each["id"]: [finding["text"] for finding in each["findings"]] for each in results.values() if is_found(each)
    }
    assert found.keys() == {each.check for each in kind_of(kind).violations}, found
    for violation in kind_of(kind).violations:
        (text,) = found[violation.check]
        assert text.startswith(violation.says)
        assert results[violation.check]["outcome"] == "warn"


@every_kind
def test_the_full_profile_tells_which_revisions_are_served(seen: Seen, kind: str) -> None:
    (eras,) = (each for each in seen(kind).full.report["checks"] if each["id"] == "eras")
    answers = eras["facts"]["revisions"]
    assert tuple(revision for revision, met in answers.items() if met["answer"] == "served") == kind_of(kind).serves
    assert all(met["answer"] != "not-observed" for met in answers.values())


async def test_an_answer_that_is_to_be_had_by_resumption_alone_arrives(serve: Serve) -> None:
    url = await serve("mcp-1.30-polling")
    checked = await check(url, *ADD)
    async with httpx.AsyncClient() as client:
        replays = await client.get(httpx.URL(url).join("/replays"))
    assert checked.report["verdict"] == "up"
    assert replays.text == "1"


async def test_an_address_without_its_last_slash_is_reported_as_redirected(serve: Serve) -> None:
    url = await serve("mcp-1.9")
    checked = await check(url.removesuffix("/"), *ADD)
    assert checked.report["verdict"] == "degraded"
    assert [each["id"] for each in checked.report["diagnoses"]] == ["redirected"]


@pytest.mark.parametrize(("name", "pinned"), [("ts-2.4-modern", "handshake"), ("mcp-1.30", "stateless")])
async def test_a_pinned_era_that_the_server_lacks_is_reported_and_the_other_one_used(
    serve: Serve, name: str, pinned: str
) -> None:
    checked = await check(await serve(name), "--era", pinned, *ADD)
    assert checked.report["verdict"] == "degraded"
    assert [each["id"] for each in checked.report["diagnoses"]] == ["era-unsupported"]
    assert axes_of(checked.report) == kind_of(name).axes


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("mcp-2.3", "pass"),
        ("ts-2.4", "pass"),
        # Declares no change that it would announce, and need not take a subscription then.
        ("fastmcp-4.1", "skip"),
    ],
)
async def test_a_subscription_is_acknowledged_by_a_server_that_announces_changes(
    serve: Serve, name: str, outcome: str
) -> None:
    checked = await check(await serve(name), "--profile", "full", "--ask", "subscriptions")
    assert checked.report["verdict"] == "up"
    (result,) = (each for each in checked.report["checks"] if each["id"] == "subscriptions")
    assert (result["outcome"], result["findings"]) == (outcome, [])
