"""`mcp-prober completion bash|zsh|fish`: completion of commands, options and values, read off the parsers."""

import argparse
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final

from prober.cli.dispatch import COMMANDS, Parser
from prober.cli.errors import PROGRAM, ExitCode

SHELLS: Final = ("bash", "zsh", "fish")

_BASH: Final = """\
# completion of {program} for bash: source it, or write it to a file of bash-completion
_{function}() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" level="" words="" stop="" is="" at
    # An `=` is a word of its own to bash.
    if [[ "$word" == "=" ]]; then word="" is=1; fi
    if [[ "$before" == "=" ]]; then before="${{COMP_WORDS[COMP_CWORD-2]}}" is=1; fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "$level ${{COMP_WORDS[at]}}" in
{paths}
        esac
    done
    case "$level $before" in
{values}
    esac
    if [[ -z "$words$stop$is" ]]; then
        case "$level" in
{commands}
        esac
    fi
    local IFS=$' \\t\\n'
    COMPREPLY=($(compgen -W "$words" -- "$word" || true))
    if [[ "${{COMPREPLY[0]:-}}" == *= && -n "${{COMP_LINE:-}}" && -z "${{ZSH_VERSION:-}}" ]]; then
        compopt -o nospace
    fi
}}
complete -o default -F _{function} {program}
"""


@dataclass(frozen=True, slots=True)
class Words:
    """What may follow a command or one of its actions."""

    words: tuple[str, ...]
    """Options, actions, and the names that are known beforehand."""
    values: Mapping[str, tuple[str, ...]]
    """Of options that take one; empty for what nobody knows beforehand, such as the name of a file."""
    actions: Mapping[str, "Words"] = field(default_factory=dict)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="for which shell")
    parser.epilog = f"For bash: source <({PROGRAM} completion bash)"


def run(options: argparse.Namespace) -> int:
    print(script(options.shell), end="")
    return ExitCode.UP


def script(shell: str) -> str:
    """What the shell has to read."""
    known = Words((*COMMANDS, "--help", "--version"), {}, {name: words_of(name) for name in COMMANDS})
    if shell == "fish":
        return "\n".join(_fish(known)) + "\n"
    # zsh reads bash's completions through a module of its own, which wants zsh's own completion to have begun.
    head = f"#compdef {PROGRAM}\nautoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"
    return (head if shell == "zsh" else "") + _bash(known)


def words_of(name: str) -> Words:
    """What the parser of a command takes, and those of its actions."""
    parser = Parser(prog=name)
    import_module(f"prober.cli.{name.replace('-', '_')}").add_arguments(parser)
    return _words(parser, {argument: known for (command, argument), known in _KNOWN.items() if command == name})


def _words(parser: Parser, known: Mapping[str, Callable[[], Sequence[str]]]) -> Words:
    words: dict[str, None] = {}
    values: dict[str, tuple[str, ...]] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        names = [each for each in action.option_strings if each.startswith("--")]
        choices = tuple(map(str, action.choices or ()))
        for each in (*names, action.dest):
            choices = tuple(known[each]()) if each in known else choices
        words.update(dict.fromkeys(names or choices))
        if names and action.nargs != 0:
            values.update(dict.fromkeys(action.option_strings, choices))
    actions = {name: _words(each, known) for name, each in parser.actions().items()}
    words.update(dict.fromkeys(actions))
    if parser.default_action is not None:
        words.update(dict.fromkeys(actions[parser.default_action].words))
        values.update(actions[parser.default_action].values)
    return Words(tuple(words), values, actions)


def _topics() -> Sequence[str]:
    from prober.cli.explain import topics

    return [*topics()]


def _scenarios() -> Sequence[str]:
    from prober.lab import SCENARIOS

    return [each.id for each in SCENARIOS]


def _forms() -> Sequence[str]:
    from prober.cli.reports import FORMS

    return [f"{form}=" for form in FORMS]


_KNOWN: Final[Mapping[tuple[str, str], Callable[[], Sequence[str]]]] = {
    ("explain", "topic"): _topics,
    ("lab", "scenarios"): _scenarios,
    ("check", "--report"): _forms,
}
"""What stands in the place of an argument that is no choice, by command and argument: it is known, though not all."""


def _paths(known: Words, path: str = "") -> Iterator[tuple[str, Words]]:
    """Every command and action with its path, such as `incidents ack`."""
    yield path, known
    for name, each in known.actions.items():
        yield from _paths(each, f"{path} {name}".strip())


def _bash(known: Words) -> str:
    levels = list(_paths(known))
    paths = [f"            {_pattern(path)}) level={shlex.quote(path)} ;;" for path, _ in levels if path]
    values = [
        f"        {shlex.quote(f'{path} {option}')}) words={shlex.quote(' '.join(choices))} stop=1 ;;"
        for path, words in levels
        for option, choices in words.values.items()
    ]
    commands = [
        f"            {shlex.quote(path)}) words={shlex.quote(' '.join(each.words))} ;;" for path, each in levels
    ]
    return _BASH.format(
        program=PROGRAM,
        function=PROGRAM.replace("-", "_"),
        paths="\n".join(paths),
        values="\n".join(values),
        commands="\n".join(commands),
    )


def _pattern(path: str) -> str:
    """What bash compares with the path so far and the next word."""
    before, _, last = path.rpartition(" ")
    return shlex.quote(f"{before} {last}")


def _fish(known: Words) -> Iterator[str]:
    yield f"# completion of {PROGRAM} for fish: write it to ~/.config/fish/completions/{PROGRAM}.fish"
    for name, words in known.actions.items():
        summary = shlex.quote(COMMANDS[name])
        yield f"complete -c {PROGRAM} -n __fish_use_subcommand -f -a {name} -d {summary}"
        for path, each in _paths(words, name):
            yield from _of_fish(path, each)


def _of_fish(path: str, known: Words) -> Iterator[str]:
    seen = " and ".join(f"__fish_seen_subcommand_from {each}" for each in path.split())
    unseen = "".join(f"; and not __fish_seen_subcommand_from {each}" for each in known.actions)
    for word in known.words:
        condition = shlex.quote(seen.replace(" and ", "; and ") + unseen)
        if not word.startswith("--"):
            yield f"complete -c {PROGRAM} -n {condition} -a {shlex.quote(word)}"
            continue
        choices = known.values.get(word)
        taken = "" if choices is None else " -r" if not choices else f" -x -a {shlex.quote(' '.join(choices))}"
        yield f"complete -c {PROGRAM} -n {condition} -l {word.removeprefix('--')}{taken}"
