"""What is said without asking any server: explanations of diagnoses, and completion for shells."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from checks.catalog import CHECKS, DETECTORS
from checks.templates.catalog import RULES
from prober.cli import main
from prober.cli.access import SCOPES
from prober.cli.completion import _KNOWN, SHELLS, _paths, script, words_of
from prober.cli.dispatch import COMMANDS
from prober.cli.errors import ExitCode
from prober.cli.explain import topics
from prober.cli.explanations import DEMANDS, EXPLANATIONS, SUBJECTS
from prober.lab import SCENARIOS

IDS = [each.id for each in DETECTORS]


def test_every_diagnosis_is_explained_and_nothing_else() -> None:
    assert sorted(EXPLANATIONS) == sorted(IDS)
    for explanation in EXPLANATIONS.values():
        assert explanation.seen.endswith((".", "?"))
        assert explanation.fix.endswith(".")
        assert all(link.startswith("https://") for link in explanation.links)


@pytest.mark.parametrize("diagnosis", IDS)
def test_an_explanation_says_what_how_and_fix(diagnosis: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", diagnosis]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{diagnosis}: ")
    assert all(f"\n{heading}:\n  " in said for heading in ("what", "how it is seen", "fix"))


def test_without_an_id_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    said = capsys.readouterr().out
    assert [line.split()[0] for line in said.splitlines() if line[:1] != " "] == IDS


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("session-lst", ["session-lost"]),
        ("timeout", ["response-timeout", "gateway-timeout", "function-timeout"]),
        ("tools", ["tools-empty", "tools-missing", "tools_list"]),
        ("TLS", ["tls-invalid"]),
        ("cold", ["cold-start", "cold-start-exceeds-timeout", "cold_starts"]),
        ("streem", ["stream-truncated"]),
        ("adapter-prot", ["adapter-port"]),
        ("504", ["gateway-timeout"]),
        ("429", ["throttled"]),
        ("AccessDenied", ["sentinel-access-denied"]),
    ],
)
def test_an_unknown_topic_brings_those_near_it(
    written: str, meant: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", written]) == 2
    said = capsys.readouterr().err
    assert all(each in said for each in meant)
    assert "did you mean" in said
    assert "adapter-layer-old" not in said


@pytest.mark.parametrize("written", ["nope", "\x1b[2Jqqq", "the", "7", "", "hostname"])
def test_a_topic_like_no_other_brings_all_diagnoses_by_subject(
    written: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", written]) == 2
    said = capsys.readouterr().err
    assert "did you mean" not in said
    assert "  streaming: streaming-disabled, streaming-buffered, stream-truncated\n" in said
    assert "mcp-prober explain" in said
    assert "\x1b" not in said


def test_every_diagnosis_stands_under_one_subject() -> None:
    assert sorted(each for ids in SUBJECTS.values() for each in ids) == sorted(IDS)


def test_what_options_of_a_check_demand_is_explained_by_the_name_that_reports_have_for_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain", "answer_within"]) == main(["explain", "ready"]) == 0
    said = capsys.readouterr().out
    assert "answer_within: what --answer-within of mcp-prober check demands\n" in said
    assert "ready: what --wait and --passes of mcp-prober check demand\n" in said


@pytest.mark.parametrize("written", ["Session_Lost", "session lost", " SESSION-LOST "])
def test_a_topic_is_known_however_it_is_spelled(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", written]) == 0
    assert capsys.readouterr().out.startswith("session-lost: the verdict is down by it\n")


@pytest.mark.parametrize("topic", topics())
def test_whatever_a_report_names_has_a_page_of_its_own(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", topic]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{topic}: ")
    assert "\n  " in said


def test_no_two_topics_have_one_name() -> None:
    judged = [*(each.id for each in CHECKS), *IDS, *(each.id for each in RULES)]
    units = [*judged, *DEMANDS, *(str(int(each)) for each in ExitCode)]
    assert sorted(units) == sorted(topics())
    assert len({each.replace("_", "-") for each in units}) == len(units)


def test_an_exit_code_says_what_a_pipeline_may_take_it_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "3"]) == 0
    assert "must not roll back" in capsys.readouterr().out


@pytest.mark.parametrize("written", ["exit 3", "exit3", "Exit code 3", "exit-code 3"])
def test_an_exit_code_is_found_by_what_people_call_it(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", written]) == 0
    assert capsys.readouterr().out.startswith("3: ")


def completed(*words: str) -> set[str]:
    """What bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in words)
    asked = f'{script("bash")}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _mcp_prober; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-euc", asked], capture_output=True, text=True, check=True, timeout=20)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("mcp-prober", "che"), {"check"}),
        (("mcp-prober", "check", "--prof"), {"--profile"}),
        (("mcp-prober", "check", "--profile", ""), {"quick", "standard", "full"}),
        (("mcp-prober", "check", "--profile", "q"), {"quick"}),
        (("mcp-prober", "baseline", "sh"), {"show"}),
        (("mcp-prober", "baseline", "show", "--fo"), {"--format"}),
        (("mcp-prober", "completion", ""), {"--help", *SHELLS}),
        (("mcp-prober", "explain", "cold-start"), {each for each in IDS if each.startswith("cold-start")}),
        (("mcp-prober", "lab", "dua"), {each.id for each in SCENARIOS if each.id.startswith("dua")}),
        (("mcp-prober", "check", "--report", "j"), {"json=", "junit="}),
        (("mcp-prober", "check", "--report", "junit", "=", "no-such-file"), set()),
        (("mcp-prober", "check", "--profile", "=", "q"), {"quick"}),
        (("mcp-prober", "check", "--config", "--pro"), set()),
        (("mcp-prober", "incidents", "ack", "--"), {"--help", "--by", "--config", "--data-dir"}),
        (("mcp-prober", "incidents", "--f"), {"--format"}),
        (("mcp-prober", "incidents", "--format", ""), {"text", "json"}),
        (("mcp-prober", "access", "token", "add", "--scope", ""), set(SCOPES)),
        (("mcp-prober", "nothing", "--x"), set()),
    ],
)
def test_bash_offers_what_the_parser_takes(words: tuple[str, ...], offered: set[str]) -> None:
    assert completed(*words) == offered


def test_bash_offers_all_commands() -> None:
    assert completed("mcp-prober", "") == {*COMMANDS, "--help", "--version"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_of_every_command_and_option(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    for name in COMMANDS:
        assert name in said
        for _, words in _paths(words_of(name)):
            for word in words.words:
                assert word.removeprefix("--") in said


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_itself_can_read_its_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script(shell), text=True, check=True, timeout=20)


def test_what_is_known_of_an_argument_is_of_one_that_there_is() -> None:
    for command, argument in _KNOWN:
        assert set(_KNOWN[command, argument]()) <= {
            *words_of(command).words,
            *words_of(command).values.get(argument, ()),
        }


def test_zsh_offers_what_bash_does(tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    asked = (
        f"source {tmp_path}/completion; "
        "COMP_WORDS=(mcp-prober check --profile q); COMP_CWORD=3; "
        "emulate bash -c _mcp_prober 2>&1; print -r -- $COMPREPLY"
    )
    (tmp_path / "completion").write_text(script("zsh"))
    done = subprocess.run(["zsh", "-fc", asked], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert done.stdout.split() == ["quick", "standard", "full"], done.stderr  # zsh itself leaves out what does not fit


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("che", {"check"}),
        ("check --profile ", {"quick", "standard", "full"}),
        ("incidents ack --b", {"--by"}),
        ("access token add --scope ", set(SCOPES)),
        ("explain cold-start-e", {each for each in IDS if each.startswith("cold-start-e")}),
    ],
)
def test_fish_offers_what_the_parser_takes(line: str, offered: set[str], tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    (tmp_path / "completion").write_text(script("fish"))
    asked = f"source {tmp_path}/completion; complete -C 'mcp-prober {line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", asked], capture_output=True, text=True, timeout=20, cwd=tmp_path, check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert {each.split("\t")[0] for each in done.stdout.splitlines()} == offered
