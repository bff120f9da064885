"""`mcp-prober completion bash|zsh|fish`: completion of commands, options and choices, read off the parsers."""

import argparse
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from prober.cli.dispatch import COMMANDS, Parser
from prober.cli.errors import PROGRAM, ExitCode

SHELLS: Final = ("bash", "zsh", "fish")

_BASH: Final = """\
# completion of {program} for bash: source it, or write it to a file of bash-completion
_{function}() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" command="" words="" at
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "${{COMP_WORDS[at]}}" in
            -*) ;;
            *) command="${{COMP_WORDS[at]}}"; break ;;
        esac
    done
    COMPREPLY=()
    case "$command $before" in
{values}
    esac
    if [[ -z "$words" ]]; then
        case "$command" in
{commands}
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}}
complete -o default -F _{function} {program}
"""


@dataclass(frozen=True, slots=True)
class Words:
    """What may follow a command: its options and actions, and the values of options that have a choice."""

    words: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="for which shell")
    parser.epilog = f"For bash: source <({PROGRAM} completion bash)"


def run(options: argparse.Namespace) -> int:
    print(script(options.shell), end="")
    return ExitCode.UP


def script(shell: str) -> str:
    """What the shell has to read."""
    known = {name: words_of(name) for name in COMMANDS}
    if shell == "fish":
        return "\n".join(_fish(known)) + "\n"
    # zsh reads bash's completions through a module of its own.
    head = f"#compdef {PROGRAM}\nautoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return head + _bash(known)


def words_of(name: str) -> Words:
    """What the parser of a command takes, its actions' options among them."""
    parser = Parser(prog=name)
    import_module(f"prober.cli.{name.replace('-', '_')}").add_arguments(parser)
    words: dict[str, None] = {}
    values: dict[str, tuple[str, ...]] = {}
    for action in _actions(parser):
        words.update(dict.fromkeys(each for each in action.option_strings if each.startswith("--")))
        if action.choices is None:
            continue
        choices = tuple(str(each) for each in action.choices)
        if action.option_strings:
            values.update(dict.fromkeys(action.option_strings, choices))
        else:
            words.update(dict.fromkeys(choices))
    return Words(tuple(words), values)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _bash(known: Mapping[str, Words]) -> str:
    values = [
        f"        {shlex.quote(f'{name} {option}')}) words={shlex.quote(' '.join(choices))} ;;"
        for name, words in known.items()
        for option, choices in words.values.items()
    ]
    commands = [f"            {name}) words={shlex.quote(' '.join(words.words))} ;;" for name, words in known.items()]
    commands.append(f"            '') words={shlex.quote(' '.join([*known, '--help', '--version']))} ;;")
    return _BASH.format(
        program=PROGRAM,
        function=PROGRAM.replace("-", "_"),
        values="\n".join(values),
        commands="\n".join(commands),
    )


def _fish(known: Mapping[str, Words]) -> Iterator[str]:
    yield f"# completion of {PROGRAM} for fish: write it to ~/.config/fish/completions/{PROGRAM}.fish"
    for name, words in known.items():
        summary = shlex.quote(COMMANDS[name])
        yield f"complete -c {PROGRAM} -n __fish_use_subcommand -f -a {name} -d {summary}"
        seen = f"'__fish_seen_subcommand_from {name}'"
        for word in words.words:
            if not word.startswith("--"):
                yield f"complete -c {PROGRAM} -n {seen} -a {shlex.quote(word)}"
                continue
            choices = words.values.get(word)
            chosen = f" -x -a {shlex.quote(' '.join(choices))}" if choices else ""
            yield f"complete -c {PROGRAM} -n {seen} -l {word.removeprefix('--')}{chosen}"
