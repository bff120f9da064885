"""An endpoint's tools on its page: what is listed, what changed, and whether there is something to accept."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from checks.inventory import inventory_of
from checks.tool_memory import Deploy, ToolMemory
from dashboard.views.endpoint import endpoint_view
from dashboard.views.tool_lists import CHANGES_SHOWN, TOOLS_SHOWN, tool_lists_view
from prober.storage.accepted_tools import FIRST_SEEN, ToolLists
from tests.unit.dashboard.rows import NOW, endpoint_page, report_row, tool_lists


def lists(accepted: list[Any] | None, *read: list[Any], **more: Any) -> ToolLists:
    inventories = [inventory_of(each) for each in read]
    memory = ToolMemory(fingerprints=tuple(each.fingerprint for each in inventories), lists=tuple(inventories))
    known = None if accepted is None else inventory_of(accepted)
    return ToolLists(accepted=known, accepted_by=FIRST_SEEN, memory=memory, **more)


OLD = [{"name": "get_order", "inputSchema": {"type": "object"}, "annotations": {"destructiveHint": True}}]
NEW = [
    {"name": "get_order", "inputSchema": {"type": "object", "properties": {"id": {}}, "required": ["id"]}},
    {"name": "search"},
]


def test_a_change_shows_as_a_diff_with_a_way_to_accept_it() -> None:
    view = tool_lists_view("a/b", lists(OLD, NEW, NEW, NEW))

    assert view is not None
    assert view.heading == "2 tools"
    assert view.counts == "1 breaking, 2 additive and 1 text only"
    assert [(each.where, each.what, each.impact, each.icon) for each in view.changes[:2]] == [
        ("get_order inputSchema/required/id", "required added", "breaking", "degraded"),
        ("get_order inputSchema/properties/id", "property added", "additive", "information"),
    ]
    assert view.state == ""
    assert view.accept == f"/baselines/a%2Fb?fingerprint={inventory_of(NEW).fingerprint}"


def test_the_list_that_was_accepted_needs_nobody_to_accept_it() -> None:
    view = tool_lists_view("a", lists(OLD, OLD, OLD))

    assert view is not None
    assert (view.changes, view.counts, view.accept) == ((), "", "")
    assert view.accepted == "Changes are measured by a list of 1 tool: the first one seen."
    assert view.tools[0].marks == ("destructive",)


def test_a_change_that_does_not_count_yet_says_so() -> None:
    once, turns = tool_lists_view("a", lists(OLD, NEW)), tool_lists_view("a", lists(OLD, NEW, OLD, NEW, OLD, NEW))

    assert once is not None
    assert once.state == "Seen by 1 probe so far; it counts once 3 agree."
    assert turns is not None
    assert turns.state.startswith("Different versions answer in turn")


def test_before_a_list_is_accepted_the_one_that_was_read_is_shown() -> None:
    view = tool_lists_view("a", lists(None, NEW))

    assert view is not None
    assert view.accepted.startswith("No list is accepted yet.")
    assert [each.name for each in view.tools] == ["get_order", "search"]
    assert view.tools[0].arguments == "id"
    assert tool_lists_view("a", ToolLists()) is None


def test_a_long_list_and_a_long_diff_are_cut() -> None:
    many = [{"name": f"t{number:04}", "description": "x" * 5000} for number in range(300)]
    view = tool_lists_view("a", lists(OLD, many))

    assert view is not None
    assert (len(view.tools), view.more_tools) == (TOOLS_SHOWN, "and 100 more tools")
    assert (len(view.changes), view.more_changes) == (CHANGES_SHOWN, "and more")
    assert all(len(each.title) <= 200 for each in view.tools)


def test_a_deploy_stands_at_the_probe_that_saw_it_first() -> None:
    slots = [NOW - timedelta(minutes=number) for number in range(5)]
    deploys = (
        Deploy(at=slots[2], what="version 1 → 2"),
        Deploy(at=NOW - timedelta(days=3), what="version 0 → 1"),
    )
    page = endpoint_page(reports=tuple(report_row(slot=slot) for slot in slots), marked=())
    told = replace(tool_lists(), memory=ToolMemory(deploys=deploys))

    view = endpoint_view(replace(page, tools=told), {}, NOW)

    assert [title for _, title in view.history.deploys] == [
        "deploy: version 1 → 2, first seen 2026-11-20 11:58:00 UTC",
    ]
    assert view.history.deploys[0][0] == view.history.bars[2][0].x


def test_the_last_deploy_stands_among_the_facts() -> None:
    told = replace(tool_lists(), memory=ToolMemory(deploys=(Deploy(at=NOW, what="version 1 → 2"),)))

    facts = dict(endpoint_view(endpoint_page(tools=told), {}, NOW).facts)

    assert facts["Last deploy"] == "version 1 → 2, first seen 2026-11-20 12:00:00 UTC"
