"""The resources of a template in one world, with what they refer to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from checks.templates.model import Dialect, Subject
from checks.templates.resolve import Resolver, World
from checks.templates.values import referred, table

Path = tuple[str | int, ...]

SAM_FUNCTION: Final = "AWS::Serverless::Function"
LAMBDA_FUNCTION: Final = "AWS::Lambda::Function"
_POINTING: Final[Mapping[str, str]] = {
    "AWS::Lambda::Alias": "FunctionName",
    "AWS::Lambda::Version": "FunctionName",
    "AWS::Lambda::Url": "TargetFunctionArn",
}
"""Resources that stand for a function, with the property that names it."""
_LOOKED_AT: Final = (
    "AWS::Serverless::",
    "AWS::Lambda::",
    "AWS::ApiGateway",
    "AWS::CloudFront::",
    "AWS::ElasticLoadBalancingV2::",
)
_NESTED: Final = ("AWS::CloudFormation::Stack", "AWS::Serverless::Application")
"""Resources that are templates of their own."""
_EXPANDED: Final = ("Fn::ForEach::", "Fn::Transform")
"""Keys among the resources in whose place others come."""
_GLOBALS: Final[Mapping[str, str]] = {
    SAM_FUNCTION: "Function",
    "AWS::Serverless::Api": "Api",
    "AWS::Serverless::HttpApi": "HttpApi",
}
"""Sections of SAM's Globals."""


@dataclass(frozen=True)
class Template:
    """A template as it was read: plain data, short forms of intrinsic functions written out."""

    data: Mapping[str, Any]
    lines: Mapping[Path, int] = field(default_factory=dict)
    """The line (from 1) of each key and list item, by its path."""

    @cached_property
    def dialect(self) -> Dialect:
        """Whose words its author writes in."""
        if "AWS::Serverless" in str(self.data.get("Transform", ""))[:1000]:
            return Dialect.SAM
        made_by_cdk = any("aws:cdk:path" in table(each.get("Metadata")) for each in self.resources.values())
        return Dialect.CDK if made_by_cdk else Dialect.CLOUDFORMATION

    @cached_property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The resources that matter to an MCP server, as they are written."""
        return {
            name: each
            for name, each in table(self.data.get("Resources")).items()
            if isinstance(each, dict) and isinstance(each.get("Type"), str) and each["Type"].startswith(_LOOKED_AT)
        }

    @cached_property
    def elsewhere(self) -> tuple[str, ...]:
        """What it deploys without writing it out, in sentences."""
        said = []
        for name, each in table(self.data.get("Resources")).items():
            kind = str(table(each).get("Type", ""))
            if kind in _NESTED:
                said.append(f"{name}: what its own template holds")
            elif name.startswith(_EXPANDED) or kind.endswith("::MODULE"):
                said.append(f"{name}: what it holds once the template is expanded")
        return tuple(said)

    def line(self, subject: Subject, at: str) -> int | None:
        """The line of a property, or of what is nearest to it: its own section, what all inherit, the resource."""
        keys = tuple(at.replace("[", ".").replace("]", "").split(".")) if at else ()
        path: Path = tuple(int(key) if key.isdecimal() else key for key in keys)
        for base in (subject.path, subject.inherited):
            if base is not None and path and (*base, path[0]) in self.lines:
                return next(
                    line for n in range(len(path), 0, -1) if (line := self.lines.get((*base, *path[:n]))) is not None
                )
        known = (self.lines.get(subject.path[:n]) for n in range(len(subject.path), 0, -1))
        return next((line for line in known if line is not None), None)


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that is there in this world, its properties resolved."""

    id: str
    kind: str
    properties: Mapping[str, Any]
    subject: Subject
    raw: Mapping[str, Any]


class Stack:
    """What a template deploys in one world."""

    def __init__(self, template: Template, world: World) -> None:
        self._resolver = Resolver(template.data, world)
        self.dialect = template.dialect
        self._globals = table(template.data.get("Globals"))
        self.resources: dict[str, Resource] = {}
        for name, raw in template.resources.items():
            condition = raw.get("Condition")
            if not isinstance(condition, str) or self._resolver.holds(condition):
                self.resources[name] = self._resource(name, raw)

    def implicit(self, name: str, kind: str) -> Resource:
        """An API that SAM makes without being told: all that is said of it stands in the Globals."""
        section = _GLOBALS[kind]
        shared = table(self._globals.get(section))
        subject = Subject(name, kind, ("Globals", section))
        return Resource(name, kind, table(self._resolver.value(shared)), subject, {})

    def of_kind(self, *kinds: str) -> Iterator[Resource]:
        """The resources of these types, in the order of the template."""
        return (each for each in self.resources.values() if each.kind in kinds)

    def function_of(self, value: Any) -> str | None:
        """The logical id of the function that a value means by reference, by its name, or by a version or alias."""
        for name in referred(value):
            if (found := self._followed(name)) is not None:
                return found
        if not isinstance(value, str):
            return None
        named = (each for each in self.of_kind(SAM_FUNCTION, LAMBDA_FUNCTION))
        return next((each.id for each in named if each.properties.get("FunctionName") == value), None)

    def _followed(self, name: str, steps: int = 4) -> str | None:
        found = self.resources.get(name)
        if found is None:
            return self._made_by_sam(name)
        if found.kind in (SAM_FUNCTION, LAMBDA_FUNCTION):
            return found.id
        points_at = found.properties.get(_POINTING.get(found.kind, ""))
        if steps == 0 or points_at is None:
            return None
        if not referred(points_at):
            return self.function_of(points_at)
        return next(
            (there for each in referred(points_at) if (there := self._followed(each, steps - 1)) is not None), None
        )

    def _made_by_sam(self, name: str) -> str | None:
        """SAM names what it makes of a function after it: `<id>Url`, `<id>Alias<name>`, `<id>Version<hash>`."""
        functions = (each.id for each in self.of_kind(SAM_FUNCTION))
        return next((each for each in functions if name.startswith((f"{each}Url", f"{each}Alias"))), None)

    def _resource(self, name: str, raw: Mapping[str, Any]) -> Resource:
        kind = raw["Type"]
        section = _GLOBALS.get(kind)
        own, shared = table(raw.get("Properties")), table(self._globals.get(section)) if section else {}
        inherited = ("Globals", section) if section and shared else None
        properties = merged(table(self._resolver.value(shared)), table(self._resolver.value(own)))
        subject = Subject(name, kind, ("Resources", name, "Properties"), inherited)
        return Resource(name, kind, properties, subject, own)


def merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What SAM makes of its Globals: own values win, mappings are merged, lists put together."""
    result = dict(shared)
    for key, value in own.items():
        before = result.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            result[key] = merged(before, value)
        elif isinstance(before, list) and isinstance(value, list):
            result[key] = [*before, *value]
        else:
            result[key] = value
    return result
