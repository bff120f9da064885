"""The command line as a whole: exit codes, the form of errors, and what is imported for `check`."""

import argparse
import importlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.cli import main
from prober.cli.dispatch import COMMANDS, Parser

ROOT = Path(__file__).parent.parent.parent.parent


def parser_of(command: str) -> Parser:
    parser = Parser(prog=command)
    importlib.import_module(f"prober.cli.{command.replace('-', '_')}").add_arguments(parser)
    return parser


HEAVY = {"pydantic", "sqlalchemy", "boto3", "botocore", "fastapi", "starlette", "apscheduler", "yaml", "uvloop",
         "jinja2", "alembic", "psycopg", "rich", "xml"}  # fmt: skip


def test_without_a_command_the_help_goes_to_stderr_and_the_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert all(command in said.err for command in COMMANDS)


def test_help_and_version_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "COMMAND" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mcp-prober ")


def test_a_mistyped_command_gets_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc", "http://localhost/"]) == 2
    assert capsys.readouterr().err.startswith("mcp-prober: error: there is no command 'chekc': did you mean check?")


def test_a_mistyped_option_gets_the_one_that_was_meant_and_the_help_of_its_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["check", "http://localhost/", "--sentinal", "find"]) == 2
    said = capsys.readouterr().err
    assert "--sentinal find: did you mean --sentinel?" in said
    assert said.endswith("see: mcp-prober check --help\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("incidents ack --by ada shop search", {"action": "ack", "names": ["shop", "search"], "by": "ada"}),
        ("incidents --by ada ack shop", {"action": "ack", "names": ["shop"], "by": "ada"}),
        ("incidents ack shop --by ada search", {"action": "ack", "names": ["shop", "search"], "by": "ada"}),
        ("incidents --format json", {"action": "list", "format": "json"}),
        ("incidents", {"action": "list", "format": "text"}),
        ("maintenance add --for 2h orders", {"action": "add", "names": ["orders"], "lasts": "2h"}),
        ("maintenance --for 2h add orders -- --odd", {"action": "add", "names": ["orders", "--odd"], "lasts": "2h"}),
        ("deploy -- --odd", {"names": ["--odd"]}),
        ("deploy orders --for 5m cart", {"names": ["orders", "cart"], "lasts": "5m"}),
        ("channels --data-dir . test ops", {"action": "test", "name": "ops"}),
        ("maintenance end 1234abcd --by ada", {"action": "end", "id": "1234abcd", "by": "ada"}),
        ("lab healthy --port 0 shuffled", {"scenarios": ["healthy", "shuffled"], "port": 0}),
        ("baseline show --format json shop", {"action": "show", "name": "shop", "format": "json"}),
    ],
)
def test_options_may_stand_before_between_and_behind_the_names(words: str, expected: dict[str, object]) -> None:
    command, *rest = words.split()
    options, unknown = parser_of(command).parse_known_args(rest)
    assert unknown == []
    assert expected.items() <= vars(options).items()


ACTIONS = [f"{name} {action}" for name in COMMANDS for action in parser_of(name).actions()]


@pytest.mark.parametrize("words", [*COMMANDS, *ACTIONS])
def test_every_command_has_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: mcp-prober {words} ")


@pytest.mark.parametrize("words", [["help"], ["help", "check"], ["help", "access", "token", "add"]])
def test_help_is_also_a_word(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(f"usage: {' '.join(['mcp-prober', *words[1:]])} ")


def test_an_address_in_the_place_of_a_command_gets_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["https://ada:hunter2@mcp.example/mcp"]) == 2
    said = capsys.readouterr().err
    assert "write: mcp-prober check https://mcp.example/mcp" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("up --port abc", "--port: is no port: a number from 0 to 65535"),
        ("lab --port 99999", "--port: is no port: a number from 0 to 65535"),
        ("demo --port 00000000080", "--port: is no port: a number from 0 to 65535"),
        ("serve --port -1", "--port: is no port"),
        ("config", "what is to be done? mcp-prober config check | schema"),
        ("access token", "what is to be done? mcp-prober access token add | revoke"),
        ("config chek", "did you mean check?"),
        ("check http://localhost/ --profile ful", "did you mean full?"),
        ("check http://localhost/ --format xml", "choose from 'text', 'json'"),
        ("check pyproject.toml", "pyproject.toml is a file\n  if it is a configuration: --config pyproject.toml --all"),
    ],
)
def test_a_slip_ends_with_2_and_the_way_out(
    words: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(words.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err


def test_streams_that_are_closed_cost_no_exit_code() -> None:
    command = f"{sys.executable} -m prober.cli explain >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], cwd=ROOT, check=False).returncode == 0


def test_an_option_like_no_other_gets_no_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--url", "http://localhost/"]) == 2
    assert "did you mean" not in capsys.readouterr().err


def parsers_of(parser: Parser) -> Iterator[Parser]:
    yield parser
    for each in parser.actions().values():
        yield from parsers_of(each)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_the_help_is_a_command_line_that_is_taken(command: str) -> None:
    parser = parser_of(command)
    for example in parser.examples:
        words = shlex.split(example)
        begin = words.index("mcp-prober")
        assert words[begin + 1] == command
        given = words[begin + 2 : words.index(">") if ">" in words else None]
        assert parser.parse_known_args(given)[1] == []
        assert f"  {example}\n" in parser.format_help()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_shows_every_default(command: str) -> None:
    for parser in parsers_of(parser_of(command)):
        for action in parser._actions:
            if action.help is argparse.SUPPRESS or action.default in (None, False, argparse.SUPPRESS, [], ""):
                continue
            assert "default: " in str(action.help), (parser.prog, action.dest)


def test_options_between_names_reach_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["maintenance", "add", "--for", "soon", "orders"]) == 2
    assert "unrecognized" not in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_output_that_cannot_be_written_is_said_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "prober.cli", "--version"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
    assert ended.returncode == 3
    assert ended.stderr.startswith("mcp-prober: error: what came of it cannot be written: No space left on device\n")
    assert "bug" not in ended.stderr


def test_a_bad_address_ends_with_2_and_nothing_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "localhost:8000/mcp", "--format", "json"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mcp-prober: error: localhost:8000/mcp has no scheme\n  ")


def test_a_quick_profile_refuses_what_it_would_not_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "http://localhost/", "--profile", "quick", "--sentinel", "find"]) == 2
    assert "--profile quick calls no tools" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[Parser.__module__], "_run", interrupted)
    assert main(["check"]) == 130


def test_ctrl_c_while_the_program_is_still_being_read_ends_quietly_with_130() -> None:
    script = (
        "import builtins, sys; from prober.cli import main; read = builtins.__import__\n"
        "def interrupted(name, *rest):\n"
        "    if name == 'prober.cli.dispatch': raise KeyboardInterrupt\n"
        "    return read(name, *rest)\n"
        "builtins.__import__ = interrupted; sys.exit(main(['--version']))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "")


def test_a_bug_of_ours_is_one_line_without_a_traceback_or_the_text_that_may_hold_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: list[str]) -> int:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(sys.modules[Parser.__module__], "_run", broken)
    monkeypatch.delenv("PROBER_DEBUG", raising=False)
    assert main(["check"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("mcp-prober: error: a bug of the prober itself: RuntimeError in test_dispatch.py:")
    assert "Traceback" not in said
    assert "hunter2" not in said


def test_check_imports_only_what_it_uses() -> None:
    script = (
        "import json, sys\n"
        "import prober.cli.check, prober.app.once\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not HEAVY & set(json.loads(ended.stdout))


def test_the_dispatcher_itself_imports_no_command() -> None:
    script = "import sys, prober.cli.dispatch; print(*(name for name in sys.modules if name.startswith('prober.cli.')))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert set(ended.stdout.split()) == {"prober.cli.dispatch", "prober.cli.errors", "prober.cli.interrupting"}
