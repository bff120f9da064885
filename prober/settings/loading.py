"""From the file and the environment to settings, or to every problem that stands in the way."""

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from checks.model import Endpoint, Expectation, Sentinel
from checks.spec import Era, Transport
from prober import values
from prober.secrets.references import SecretError, is_reference, resolve
from prober.settings import rules, schema
from prober.settings.document import Document, Path, read
from prober.settings.model import (
    CloudWatchSettings,
    DashboardSettings,
    IncidentRules,
    Network,
    NotifierSpec,
    Settings,
)
from prober.settings.problems import ConfigError, Problem

ENVIRONMENT: Final[Mapping[str, tuple[str, ...]]] = {
    "PROBER_LOCATION": ("location",),
    "PROBER_DATA_DIR": ("data_dir",),
    "PROBER_DASHBOARD_HOST": ("dashboard", "host"),
    "PROBER_DASHBOARD_PORT": ("dashboard", "port"),
    "PROBER_DASHBOARD_PUBLIC_URL": ("dashboard", "public_url"),
    "PROBER_CLOUDWATCH_ENABLED": ("cloudwatch", "enabled"),
    "PROBER_CLOUDWATCH_NAMESPACE": ("cloudwatch", "namespace"),
    "PROBER_CLOUDWATCH_REGION": ("cloudwatch", "region"),
}
"""Variables that stand over the file; DATABASE_URL does too. An empty variable counts as not set."""


def load(path: FilePath, env: Mapping[str, str]) -> Settings:
    """The settings in the file at `path`, with the environment over it. Raises ConfigError with all problems."""
    return parse(read_file(path), str(path), env, path.parent)


def read_file(path: FilePath) -> bytes:
    """The content of a configuration file. Raises ConfigError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "name it with --config, or write one with: mcp-prober init URL"
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}", hint)]) from None


def parse(content: bytes, name: str, env: Mapping[str, str], directory: FilePath = FilePath()) -> Settings:
    """The settings in `content`; `name` stands for the file in messages, relative paths begin at `directory`."""
    document = read(content, name, env)
    if not isinstance(document.data, dict):
        hint = "begin with the line: endpoints:"
        raise ConfigError([*document.problems, Problem(document.place(()), "holds no settings", hint)])
    if isinstance(data_dir := document.data.get("data_dir"), str) and ("data_dir",) not in document.unread:
        document.data["data_dir"] = str(directory / FilePath(data_dir).expanduser())
    _overlay(document, env)
    parsed, problems = _validated(document)
    problems += [
        _problem(document, broken.path, broken.message, broken.hint)
        for broken in rules.broken_rules(document.data)
        if not _unread(document, broken.path)
    ]
    try:
        database_url = _database_url(document.data.get("database_url"), env)
    except SecretError as error:
        database_url = None
        problems.append(_problem(document, ("database_url",), str(error), ""))
    problems = [*document.problems, *problems]
    if problems or parsed is None:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_order))
    return _settings(parsed, document, database_url)


def without_file(env: Mapping[str, str]) -> Settings:
    """The settings of a process that has no file: the environment over the defaults. Raises ConfigError."""
    return parse(b"endpoints: []\n", "environment", env)


def _overlay(document: Document, env: Mapping[str, str]) -> None:
    for variable, path in ENVIRONMENT.items():
        if env.get(variable):
            document.put(path, env[variable], f"environment variable {variable}")


def _database_url(value: Any, env: Mapping[str, str]) -> str | None:
    if env.get("DATABASE_URL"):
        return env["DATABASE_URL"]
    if not isinstance(value, str):
        return None
    return resolve(value, env) if is_reference(value) else value


def _validated(document: Document) -> tuple[schema.ConfigFile | None, list[Problem]]:
    try:
        return schema.ConfigFile.model_validate(document.data), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    problems = []
    for each in details:
        path = _path(each["loc"])
        if not _unread(document, path):
            message, hint = _wording(each)
            problems.append(_problem(document, path, message, hint))
    return None, problems


def _path(location: tuple[int | str, ...]) -> Path:
    """Where the value stands in the file: without the marks that pydantic adds for keys."""
    return tuple(part for part in location if part != "[key]")


def _unread(document: Document, path: Path) -> bool:
    """Whether the value has a problem already, or what stands in its place is only a stopgap."""
    return any(path[:length] in document.unread for length in range(len(path) + 1))


def _problem(document: Document, path: Path, message: str, hint: str) -> Problem:
    return Problem(document.place(path), f"{_spelled(path)}: {message}" if path else message, hint)


def _spelled(path: Path) -> str:
    """`("endpoints", 2, "url")` as `endpoints[2].url`."""
    spelled = ""
    for part in path:
        if isinstance(part, int):
            spelled += f"[{part}]"
        else:
            shown = "".join(character if character.isprintable() else "?" for character in part)[:60]
            spelled += f".{shown}" if spelled else shown
    return spelled


def _order(problem: Problem) -> tuple[int, str]:
    line = problem.place.rpartition(":")[2]
    return (int(line) if line.isdecimal() else 0, problem.message)


_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "missing": ("is missing", "add it"),
    "string_type": ("is not a text", "put it in quotes"),
    "bool_type": ("is neither true nor false", ""),
    "bool_parsing": ("is neither true nor false", ""),
    "int_type": ("is not a whole number", ""),
    "int_parsing": ("is not a whole number", ""),
    "int_from_float": ("is not a whole number", ""),
    "list_type": ("is not a list", "begin each item with a hyphen, or write [one, two]"),
    "dict_type": ("is not a mapping", "write key: value lines below it, indented"),
    "model_type": ("is not a mapping", "write key: value lines below it, indented"),
    "string_too_short": ("is empty", "fill it in or leave it out"),
}


def _wording(error: ErrorDetails) -> tuple[str, str]:
    kind = error["type"]
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, values.Refused):
        return cause.message, cause.hint
    if kind == "extra_forbidden":
        return "is not a known key", _nearest(error["loc"])
    if kind in _WORDS:
        return _WORDS[kind]
    return _plain(error["msg"]), ""


def _plain(message: str) -> str:
    text = message.removeprefix("Input ").removeprefix("Value ")
    return text.replace("should be", "must be", 1).replace("should have", "must have", 1)


def _nearest(location: tuple[int | str, ...]) -> str:
    """The way out for an unknown key: the known one that looks like it, or all that are known there."""
    known = _known_keys(location[:-1])
    near = difflib.get_close_matches(str(location[-1]).lower(), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def _known_keys(location: Sequence[int | str]) -> list[str]:
    section: type[BaseModel] = schema.ConfigFile
    for part in location:
        if isinstance(part, int):
            continue
        fields = {info.alias or name: info for name, info in section.model_fields.items()}
        section = next(_sections_in(fields[part].annotation))
    return [info.alias or name for name, info in section.model_fields.items()]


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, BaseModel):
            yield annotation
        return
    for inner in typing.get_args(annotation):
        yield from _sections_in(inner)


def _settings(parsed: schema.ConfigFile, document: Document, database_url: str | None) -> Settings:
    return Settings(
        endpoints=tuple(_endpoint(each, parsed.defaults) for each in parsed.endpoints),
        incidents=IncidentRules(**parsed.incidents.model_dump()),
        network=Network(allow_cidrs=tuple(parsed.network.allow_cidrs), allow_private=parsed.network.allow_private),
        notifiers=tuple(_notifier(each, index, document) for index, each in enumerate(parsed.notifiers)),
        cloudwatch=CloudWatchSettings(
            enabled=parsed.cloudwatch.enabled,
            namespace=parsed.cloudwatch.namespace,
            region=parsed.cloudwatch.region,
            flush_s=parsed.cloudwatch.flush,
        ),
        dashboard=DashboardSettings(**parsed.dashboard.model_dump()),
        location=parsed.location,
        database_url=database_url,
        data_dir=None if parsed.data_dir is None else FilePath(parsed.data_dir),
    )


def _endpoint(section: schema.EndpointSection, defaults: schema.DefaultsSection) -> Endpoint:
    interval_s = section.interval if section.interval is not None else defaults.interval
    verify_tls = section.verify_tls if section.verify_tls is not None else defaults.verify_tls
    return Endpoint(
        name=section.name,
        url=section.url,
        labels={**defaults.labels, **section.labels},
        interval_s=interval_s,
        timeout_s=rules.timeout_s(section.timeout, defaults.timeout, interval_s),
        transport=None if section.transport == schema.AUTO else Transport(section.transport),
        era=None if section.era == schema.AUTO else Era(section.era),
        protocol_version=None if section.protocol_version == schema.AUTO else section.protocol_version,
        expected_tools=tuple(dict.fromkeys(section.expected_tools)),
        sentinels=tuple(_sentinel(each) for each in section.sentinels),
        streaming=section.streaming,
        headers=_merged_headers(defaults.headers, section.headers),
        bearer=None if section.auth is None else section.auth.bearer,
        verify_tls=verify_tls,
        enabled=section.enabled,
    )


def _merged_headers(common: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """An endpoint's own header stands over the common one of that name, whatever the spelling."""
    replaced = {name.lower() for name in own}
    return {name: value for name, value in common.items() if name.lower() not in replaced} | dict(own)


def _sentinel(section: schema.SentinelSection) -> Sentinel:
    return Sentinel(
        tool=section.tool,
        arguments=section.arguments,
        expect=Expectation(text=section.expect.text, json=section.expect.json_),
        allow_destructive=section.allow_destructive,
    )


def _notifier(section: schema.NotifierSection, index: int, document: Document) -> NotifierSpec:
    path = ("notifiers", index)
    options = dict(section.model_extra or {})
    return NotifierSpec(
        name=section.name or section.kind,
        kind=section.kind,
        options=options,
        place=document.place(path),
        option_places={key: document.place((*path, key)) for key in options},
    )
