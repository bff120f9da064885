"""Every input that the fuzzer starts from, or once broke something with, replayed without the fuzzer."""

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
INPUTS = sorted(CORPUS.glob("*/*"))


@pytest.mark.parametrize("kept", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_fuzzed_once_holds_still(kept: Path) -> None:
    TARGETS[kept.parent.name](kept.read_bytes())


def test_every_target_has_inputs_to_start_from() -> None:
    assert {path.parent.name for path in INPUTS} == set(TARGETS)
