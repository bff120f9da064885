"""Reads YAML into plain data and keeps the line of every key and value, so that each fault can name its place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from prober.settings.problems import ConfigError, Problem

Path = tuple[str | int, ...]
"""The way from the top of the document to a value, as pydantic gives it too."""

MAX_BYTES: Final = 4 * 1024 * 1024
"""Ten thousand endpoints with labels and a sentinel each take half of it."""
MAX_VALUES: Final = 500_000
"""Aliases repeat what they stand for; without a limit a small file could stand for billions of values."""
MAX_DEPTH: Final = 50

_CORE: Final = "tag:yaml.org,2002:"
_SCALARS: Final = frozenset(f"{_CORE}{tag}" for tag in ("str", "int", "float", "bool", "null", "timestamp"))
_VARIABLE: Final = re.compile(r"(?P<escaped>\$\$\{)|\$\{(?P<inside>[^}]*)(?P<end>\}?)")
_INSIDE: Final = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>.*))?", re.DOTALL)


@dataclass(slots=True)
class Document:
    """The data of a file. `problems` are those of reading it; values that could not be read are in `unread`."""

    name: str
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    unread: set[Path] = field(default_factory=set)
    _places: dict[Path, str] = field(default_factory=dict)

    def place(self, path: Path) -> str:
        """`file:line` of the value at `path`, or of the nearest thing around it."""
        for length in range(len(path), -1, -1):
            if (place := self._places.get(path[:length])) is not None:
                return place
        return self.name

    def put(self, path: tuple[str, ...], value: Any, place: str) -> None:
        """Set a value that comes from elsewhere; sections on the way are made where they are missing."""
        section = self.data
        for key in path[:-1]:
            if not isinstance(section, dict):
                return
            if not isinstance(section.get(key), dict):
                section[key] = {}
            section = section[key]
        if isinstance(section, dict):
            section[path[-1]] = value
            self._places[path] = place
            self.unread.discard(path)

    def mark(self, path: Path, line: int) -> None:
        """Remember the line (from 1) of the value at `path`."""
        self._places[path] = f"{self.name}:{line}"

    def fault(self, line: int, message: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{self.name}:{line}", message, hint))


def read(content: bytes, name: str, env: Mapping[str, str]) -> Document:
    """The document in `content`, with `${VAR}` and `${VAR:-default}` in its values replaced from `env`.

    `$${` stands for a plain `${`. Raises ConfigError where nothing can be made of the content at all.
    """
    if len(content) > MAX_BYTES:
        raise ConfigError([Problem(name, f"is larger than {MAX_BYTES // 1024} KiB", "split the endpoints")])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError([Problem(f"{name}:{line}", "is not UTF-8 text", "save the file as UTF-8")]) from None
    document = Document(name)
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError([_syntax_problem(name, error)]) from None
    except RecursionError:
        raise ConfigError([Problem(name, "is nested too deeply", "write it flatter")]) from None
    if node is not None:
        document.data = _Reader(document, loader, env).value(node, ())
    return document


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, document: Document, loader: yaml.SafeLoader, env: Mapping[str, str]) -> None:
        self._document = document
        self._loader = loader
        self._env = env
        self._values = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self._values += 1
        line = node.start_mark.line + 1
        if self._values > MAX_VALUES or len(path) > MAX_DEPTH:
            problem = Problem(f"{self._document.name}:{line}", "holds too many values", "use fewer YAML aliases")
            raise ConfigError([*self._document.problems, problem])
        self._document.mark(path, line)
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_CORE}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_CORE}seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node, path)
        self._document.unread.add(path)
        self._document.fault(line, f"the YAML tag {_shown(node.tag)} has no meaning here", "leave it out")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == f"{_CORE}merge":
                merged |= self._merged(value_node, path, line)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._document.fault(line, "this key is not a text", "write the key as one word")
                continue
            key = key_node.value
            if key in first_lines:
                hint = f"it stands in line {first_lines[key]} already; keep one of them"
                self._document.fault(line, f"{_shown(key)} is given twice", hint)
                continue
            first_lines[key] = line
            own[key] = self.value(value_node, (*path, key))
            self._document.mark((*path, key), line)
        return {**merged, **own}

    def _merged(self, node: yaml.Node, path: Path, line: int) -> dict[str, Any]:
        """What `<<:` brings in: one mapping, or a list of which the first that has a key wins."""
        value = self.value(node, (*path, "<<"))
        brought = value if isinstance(value, list) else [value]
        merged: dict[str, Any] = {}
        for each in brought:
            if not isinstance(each, dict):
                self._document.fault(line, "<< takes a mapping", "name an anchor such as <<: *common")
                continue
            merged = {**each, **merged}
        for key in merged:
            self._document.mark((*path, key), line)
        return merged

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        line = node.start_mark.line + 1
        if "${" in node.value:
            return self._interpolated(node.value, path, line)
        if node.tag == f"{_CORE}timestamp":
            return node.value  # revisions of MCP are dates, and an unquoted date is meant as text
        try:
            return self._loader.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._document.unread.add(path)
            self._document.fault(line, "is not a value of its YAML type", "put it in quotes")
            return None

    def _interpolated(self, text: str, path: Path, line: int) -> str:
        def substitute(match: re.Match[str]) -> str:
            if match["escaped"]:
                return "${"
            inside = _INSIDE.fullmatch(match["inside"])
            if inside is None or not match["end"]:
                self._document.unread.add(path)
                self._document.fault(
                    line,
                    f"{_shown(match[0])} is not a variable",
                    "write ${NAME} or ${NAME:-default}; a plain ${ is written $${",
                )
                return ""
            return self._variable(inside["name"], inside["default"], path, line)

        return _VARIABLE.sub(substitute, text)

    def _variable(self, name: str, default: str | None, path: Path, line: int) -> str:
        value = self._env.get(name)
        if default is not None:
            return value or default
        if value is None:
            self._document.unread.add(path)
            self._document.fault(
                line, f"the environment variable {name} is not set", f"set it, or write ${{{name}:-default}}"
            )
            return ""
        return value


def _syntax_problem(name: str, error: yaml.YAMLError) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        said = error.problem or error.context or "it cannot be read"
        place = name if mark is None else f"{name}:{mark.line + 1}"
        return Problem(place, f"is not YAML: {_shown(said)}", "look at the indentation and the quotes around here")
    if isinstance(error, yaml.reader.ReaderError):
        return Problem(name, "holds a control character that YAML does not allow", "remove it")
    return Problem(name, "is not YAML")


def _shown(text: str) -> str:
    """A short, printable form of something that stands in the file."""
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return printable if len(printable) <= 80 else f"{printable[:79]}…"
