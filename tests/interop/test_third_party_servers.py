"""Servers that nobody here wrote: every kind is up and on its right axes, and only what breaks a rule is found."""

from typing import Any

import httpx
import pytest

from tests.interop.kinds import ADD, KINDS, Axes, kind_of
from tests.interop.observing import check
from tests.interop.serving import prepare, serving

every_kind = pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
profile = pytest.mark.parametrize("profile", ["full", "standard"])


def complaints(report: dict[str, Any]) -> list[str]:
    """The diagnoses that say more than what is good to know."""
    return [f"{each['id']}: {each['summary']}" for each in report["diagnoses"] if each["effect"] != "information"]


def is_found(result: dict[str, Any]) -> bool:
    """Whether a check says that something is not as it should be."""
    return result["outcome"] not in ("pass", "skip") or bool(result["findings"])


@every_kind
@profile
def test_a_server_is_up_and_answers_its_tool(seen, kind, profile) -> None:
    checked = getattr(seen(kind), profile)
    assert complaints(checked.report) == []
    assert (checked.code, checked.report["verdict"]) == (0, "up")
    outcomes = {each["id"]: each["outcome"] for each in checked.report["checks"]}
    assert outcomes["tools_list"] == "pass"
    assert outcomes["sentinel_call"] == "pass"


@every_kind
@profile
def test_a_server_is_on_its_five_axes(seen, kind, profile) -> None:
    axes = getattr(seen(kind), profile).report["axes"]
    (replies,) = {mode for modes in axes["replies"].values() for mode in modes}
    assert (
        Axes(axes["era"], axes["protocol_version"], axes["transport"], axes["session"], replies) == kind_of(kind).axes
    )


@every_kind
def test_nothing_is_found_at_the_standard_profile(seen, kind) -> None:
    report = seen(kind).standard.report
    assert [each for each in report["checks"] if is_found(each)] == []


@every_kind
def test_the_full_profile_finds_what_breaks_a_rule_and_nothing_else(seen, kind) -> None:
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
def test_the_full_profile_tells_which_revisions_are_served(seen, kind) -> None:
    (eras,) = (each for each in seen(kind).full.report["checks"] if each["id"] == "eras")
    answers = eras["facts"]["revisions"]
    assert tuple(revision for revision, met in answers.items() if met["answer"] == "served") == kind_of(kind).serves
    assert all(met["answer"] != "not-observed" for met in answers.values())


async def test_an_answer_that_is_to_be_had_by_resumption_alone_arrives() -> None:
    kind = kind_of("mcp-1.30-polling")
    prepare(kind)
    async with serving(kind) as url, httpx.AsyncClient() as client:
        checked = await check(url, *ADD)
        replays = await client.get(httpx.URL(url).join("/replays"))
    assert checked.report["verdict"] == "up"
    assert replays.text == "1"


async def test_an_address_without_its_last_slash_is_reported_as_redirected() -> None:
    kind = kind_of("mcp-1.9")
    prepare(kind)
    async with serving(kind) as url:
        checked = await check(url.removesuffix("/"), *ADD)
    assert checked.report["verdict"] == "degraded"
    assert [each["id"] for each in checked.report["diagnoses"]] == ["redirected"]
