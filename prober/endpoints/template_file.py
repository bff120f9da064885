"""Reads a template of SAM, CloudFormation or CDK, in YAML or JSON, into plain data that keeps its lines.

The file is hostile: its size, its depth, and what YAML aliases repeat are bounded. Short forms of intrinsic functions
are written out.
"""

from pathlib import Path
from typing import Any, Final

import yaml

from checks.templates.stack import Template
from checks.text import clean

MAX_BYTES: Final = 4 * 1024 * 1024
"""CloudFormation takes templates up to 1 MiB; SAM's are before packaging."""
MAX_VALUES: Final = 200_000
MAX_DEPTH: Final = 60

_CORE: Final = "tag:yaml.org,2002:"
_READ_SCALARS: Final = frozenset(f"{_CORE}{kind}" for kind in ("int", "float", "bool", "null"))
_NO_PREFIX: Final = frozenset({"Ref", "Condition"})
"""Short forms that stand for a key without `Fn::`."""
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Place = tuple[str | int, ...]


class UnreadableTemplate(Exception):
    """A file that is no template. `hint` is the way out."""

    def __init__(self, place: str, message: str, hint: str = "") -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message
        self.hint = hint


def read_template(path: Path) -> Template:
    """The template in a file. Raises UnreadableTemplate."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableTemplate(str(path), f"cannot be read: {error.strerror}", "compare its name") from None
    return parse_template(content, str(path))


def parse_template(content: bytes, name: str) -> Template:
    """The template that `content` is. Raises UnreadableTemplate."""
    if len(content) > MAX_BYTES:
        raise UnreadableTemplate(name, f"is larger than {MAX_BYTES // 1024 // 1024} MiB", "is it a template?")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UnreadableTemplate(f"{name}:{line}", "is not UTF-8 text", "save the file as UTF-8") from None
    try:
        _refuse_depth(text, name)
        node = yaml.compose(text, _Loader)
    except yaml.YAMLError as error:
        raise _broken(name, error) from None
    reader = _Reader(name)
    data = reader.value(node, ()) if node is not None else None
    if not isinstance(data, dict) or not isinstance(data.get("Resources"), dict):
        raise UnreadableTemplate(
            name, "has no Resources, so that it is no template", "for CDK, name cdk.out/STACK.template.json"
        )
    return Template(data, reader.lines)


def _refuse_depth(text: str, name: str) -> None:
    """Count how deep it goes before it is built, which libyaml does by calling itself until the process dies."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                place = name if event.start_mark is None else f"{name}:{event.start_mark.line + 1}"
                raise UnreadableTemplate(place, "is nested too deeply", "is it a template?")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _broken(name: str, error: yaml.YAMLError) -> UnreadableTemplate:
    mark = getattr(error, "problem_mark", None)
    place = name if mark is None else f"{name}:{mark.line + 1}"
    problem = clean(str(getattr(error, "problem", None) or "it cannot be parsed"), 200)
    return UnreadableTemplate(place, f"is neither YAML nor JSON: {problem}", "mend the syntax")


class _Reader:
    """Walks the nodes of one document."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values = 0
        self._constructor = yaml.constructor.SafeConstructor()
        self.lines: dict[Place, int] = {}

    def value(self, node: yaml.Node, path: Place, depth: int = 0) -> Any:
        """What a node stands for. Raises UnreadableTemplate beyond the limits."""
        self._values += 1
        line = node.start_mark.line + 1
        if self._values > MAX_VALUES or depth > MAX_DEPTH:
            what = "is nested too deeply" if depth > MAX_DEPTH else "stands for too many values"
            raise UnreadableTemplate(f"{self._name}:{line}", what, "use fewer YAML aliases, or a flatter template")
        self.lines.setdefault(path, line)
        read = self._plain(node, path, depth)
        if node.tag.startswith("!") and len(node.tag) > 1:
            name = node.tag[1:]
            return {name if name in _NO_PREFIX else f"Fn::{name}": read}
        return read

    def _plain(self, node: yaml.Node, path: Place, depth: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*path, index), depth + 1) for index, each in enumerate(node.value)]
        if node.tag in _READ_SCALARS:
            try:
                return self._constructor.construct_object(node)
            except (ValueError, OverflowError, yaml.YAMLError):
                return str(node.value)
        return str(node.value)

    def _mapping(self, node: yaml.MappingNode, path: Place, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        shared: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_CORE}merge":
                for each in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    brought = self.value(each, (*path, "<<"), depth + 1)
                    shared = {**(brought if isinstance(brought, dict) else {}), **shared}
                continue
            key = str(key_node.value)[:1024] if isinstance(key_node, yaml.ScalarNode) else "?"
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            own[key] = self.value(value_node, (*path, key), depth + 1)
        return {**shared, **own}
