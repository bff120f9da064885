"""When a list of tools is the server's: agreed upon by enough probes, and not taking turns with another."""

from datetime import timedelta

import pytest

from checks.inventory import inventory_of
from checks.tool_memory import DEPLOYS_KEPT, LISTS_KEPT, READINGS, Reading, ToolMemory, after_probe
from tests.unit.checks.conversations import NOW

LISTS = {letter: inventory_of([{"name": letter}]) for letter in "ABCDEFGHIJ"}


@pytest.mark.parametrize(
    ("read", "settled", "takes_turns"),
    [
        ("", None, False),
        ("A", None, False),
        ("AA", None, False),
        ("AAA", "A", False),
        ("AAAAA", "A", False),
        ("AAAAB", "A", False),
        ("AAABB", "A", False),
        ("AABBB", "B", False),  # a deploy
        ("AAABA", "A", False),  # one reading that was odd
        ("AABA", "A", False),
        ("AABAB", None, True),  # two versions behind one alias
        ("ABABA", None, True),
        ("BBABB", "B", False),
        ("ABBBA", "B", False),
        ("AABBA", "A", False),  # a deploy that was taken back
        ("AABB", None, False),
        ("ABC", None, False),
        ("ABCDE", None, True),  # another list each time
        ("ABABABBBBB", "B", False),  # what lies further back no longer counts
    ],
)
def test_a_list_settles_once_three_of_five_probes_read_it_and_none_take_turns(
    read: str, settled: str | None, takes_turns: bool
) -> None:
    memory = _memory(read)

    assert memory.settled == (LISTS[settled].fingerprint if settled else None)
    assert memory.takes_turns is takes_turns


def test_a_list_that_could_not_be_read_changes_nothing() -> None:
    memory = after_probe(_memory("AAB"), Reading(at=NOW, version=None), accepted=None)

    assert memory == _memory("AAB")


def test_definitions_are_kept_of_lists_that_are_not_accepted() -> None:
    accepted = LISTS["A"].fingerprint

    assert _memory("AAAB", accepted="A").lists == (LISTS["B"],)
    assert _memory("AAA", accepted="A").lists == ()
    assert _memory("AAA").lists == (LISTS["A"],)
    assert _memory("BAAAAA", accepted="A").lists == ()
    assert _memory("AAAB", accepted="A").inventory(LISTS["B"].fingerprint) == LISTS["B"]
    assert _memory("AAAB", accepted="A").inventory(accepted) is None


def test_what_is_remembered_is_bounded() -> None:
    memory = ToolMemory()
    for number in range(100):
        listed = LISTS["ABCDEFGHIJ"[number // 10]]
        reading = Reading(at=NOW, version=str(number // 5), fingerprint=listed.fingerprint, inventory=listed)
        memory = after_probe(memory, reading, accepted=None)

    assert len(memory.fingerprints) == len(memory.versions) == READINGS
    assert len(memory.lists) <= LISTS_KEPT
    assert len(memory.deploys) == DEPLOYS_KEPT


@pytest.mark.parametrize(
    ("read", "deploys"),
    [
        ("A1 A1 A1", []),
        ("A1 A1 A2", ["version 1 → 2"]),
        ("A1 B1", ["another list of tools"]),
        ("A1 B2 B2", ["version 1 → 2, another list of tools"]),
        ("A1 A2 A1 A2", ["version 1 → 2"]),  # two versions that take turns are one deploy
        ("A1 A2 A2 A2 A2 A2 A1", ["version 1 → 2", "version 2 → 1"]),
        ("A- A1", []),
        ("A1 A-", []),
        ("-1 -2", ["version 1 → 2"]),
        ("A1 B1 C1 D1 E1 F1", ["another list of tools", "another list of tools"]),  # restless, no deploys
    ],
)
def test_a_version_or_a_list_that_no_recent_probe_saw_tells_of_a_deploy(read: str, deploys: list[str]) -> None:
    memory = ToolMemory()
    for number, (letter, version) in enumerate(read.split()):
        listed = LISTS.get(letter)
        reading = Reading(
            at=NOW + timedelta(minutes=number),
            version=None if version == "-" else version,
            fingerprint=listed.fingerprint if listed else None,
            inventory=listed,
        )
        memory = after_probe(memory, reading, accepted=None)

    assert [each.what for each in memory.deploys] == deploys


def test_a_version_is_kept_as_it_may_be_shown() -> None:
    memory = after_probe(ToolMemory(), Reading(at=NOW, version="1\u202e" + "9" * 500), accepted=None)

    assert memory.versions[0].startswith("1\\u{202e}9")
    assert len(memory.versions[0]) == 80


def _memory(read: str, accepted: str | None = None) -> ToolMemory:
    """What is remembered after probes that read these lists, one letter each."""
    memory, known = ToolMemory(), LISTS[accepted].fingerprint if accepted else None
    for letter in read:
        listed = LISTS[letter]
        inventory = None if letter == accepted else listed
        reading = Reading(at=NOW, version=None, fingerprint=listed.fingerprint, inventory=inventory)
        memory = after_probe(memory, reading, accepted=known)
    return memory
