"""From the file and the environment to settings, or to every problem that stands in the way."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, Final

from pydantic import ValidationError

from checks.model import Endpoint, Expectation, OAuth, Sentinel, SigV4
from checks.spec import Era, Transport
from prober import values
from prober.incidents.notice import Route
from prober.incidents.rules import Alerting, Rules, Window
from prober.incidents.windows import MaintenanceWindow
from prober.limits import Limits
from prober.secrets.allowance import Allowed, AllowList
from prober.secrets.references import SecretError, is_reference, is_remote, resolve
from prober.settings import rules, schema, vouching
from prober.settings.document import Document, Path, read
from prober.settings.model import (
    CloudWatchSettings,
    DashboardSettings,
    EndpointOptions,
    Network,
    NotifierSpec,
    ObserverSettings,
    Retention,
    Settings,
    SpoolSettings,
    StatusSettings,
    WatchdogSettings,
)
from prober.settings.problems import ConfigError, Problem
from prober.settings.wording import wording

ENVIRONMENT: Final[Mapping[str, tuple[str, ...]]] = {
    "PROBER_LOCATION": ("location",),
    "PROBER_DATA_DIR": ("data_dir",),
    "PROBER_DASHBOARD_HOST": ("dashboard", "host"),
    "PROBER_DASHBOARD_PORT": ("dashboard", "port"),
    "PROBER_DASHBOARD_PUBLIC_URL": ("dashboard", "public_url"),
    "PROBER_DASHBOARD_ACCESS": ("dashboard", "access"),
    "PROBER_DASHBOARD_LOGIN_IDLE": ("dashboard", "login_idle"),
    "PROBER_DASHBOARD_LOGIN_LASTS": ("dashboard", "login_lasts"),
    **vouching.VARIABLES,
    "PROBER_STATUS_HOST": ("status", "host"),
    "PROBER_STATUS_PORT": ("status", "port"),
    "PROBER_CLOUDWATCH_ENABLED": ("cloudwatch", "enabled"),
    "PROBER_CLOUDWATCH_NAMESPACE": ("cloudwatch", "namespace"),
    "PROBER_CLOUDWATCH_REGION": ("cloudwatch", "region"),
}
"""Variables that stand over the file; DATABASE_URL does too. An empty variable counts as not set."""


_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Judge = Callable[[Settings], Sequence[Problem]]
"""Names problems that only rooms above the settings can see, such as an unknown kind of notifier.

In a file with other faults it is given what can be read all the same: its notifiers, and defaults for the rest.
"""


def no_more(settings: Settings) -> Sequence[Problem]:
    """The judge that finds nothing."""
    del settings
    return ()


def load(path: FilePath, env: Mapping[str, str], *, judge: Judge = no_more) -> Settings:
    """The settings in the file at `path`, with the environment over it. Raises ConfigError with all problems."""
    return parse(read_file(path), str(path), env, path.parent, judge=judge)


def read_file(path: FilePath) -> bytes:
    """The content of a configuration file. Raises ConfigError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "name the file that is meant, or write one with: mcp-prober init URL"
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}", hint)]) from None


def parse(
    content: bytes, name: str, env: Mapping[str, str], directory: FilePath = FilePath(), *, judge: Judge = no_more
) -> Settings:
    """The settings in `content`; `name` stands for the file in messages, relative paths begin at `directory`."""
    document = read(content, name, env)
    if not isinstance(document.data, dict):
        hint = "begin with the line: endpoints:"
        raise ConfigError([*document.problems, Problem(document.place(()), "holds no settings", hint)])
    homeless = _place_data_dir(document, directory)
    _overlay(document, env)
    parsed, problems = _validated(document)
    problems += homeless
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
    notifiers = tuple(_notifiers(document, directory))
    settings = Settings(notifiers=notifiers) if parsed is None else _settings(parsed, notifiers, database_url)
    problems = [*document.problems, *problems, *judge(settings)]
    if problems:
        raise ConfigError(sorted(dict.fromkeys(problems), key=_order))
    return settings


def _place_data_dir(document: Document, directory: FilePath) -> list[Problem]:
    """Let a relative data directory begin at `directory`, unless the environment names another one later."""
    data_dir = document.data.get("data_dir")
    if isinstance(data_dir, str) and not _unread(document, ("data_dir",)):
        try:
            document.data["data_dir"] = str(directory / FilePath(data_dir).expanduser())
        except RuntimeError:
            return [_problem(document, ("data_dir",), "begins at a home that is not there", "write the path out")]
    return []


def _overlay(document: Document, env: Mapping[str, str]) -> None:
    for variable, path in ENVIRONMENT.items():
        if env.get(variable, "").strip():
            document.put(path, env[variable], f"environment variable {variable}")


def _database_url(value: Any, env: Mapping[str, str]) -> str | None:
    if env.get("DATABASE_URL"):
        return env["DATABASE_URL"]
    if not isinstance(value, str) or is_remote(value):  # a rule refuses the latter
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
            message, hint = wording(each, schema.ConfigFile)
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


def _settings(parsed: schema.ConfigFile, notifiers: tuple[NotifierSpec, ...], database_url: str | None) -> Settings:
    return Settings(
        endpoints=tuple(_endpoint(each, parsed.defaults) for each in parsed.endpoints),
        options={each.name: options for each in parsed.endpoints if (options := _options(each)) != EndpointOptions()},
        rules=_rules(parsed.incidents),
        alerting=_alerting(parsed.incidents),
        maintenance=tuple(_maintenance(each) for each in parsed.maintenance),
        spool=SpoolSettings(quota_bytes=parsed.spool.quota),
        retention=_retention(parsed.retention),
        observer=_observer(parsed.observer),
        watchdog=WatchdogSettings(url=parsed.watchdog.url, every_s=parsed.watchdog.every),
        status=StatusSettings(**parsed.status.model_dump()),
        network=Network(allow_cidrs=tuple(parsed.network.allow_cidrs), allow_private=parsed.network.allow_private),
        limits=Limits(**parsed.limits.model_dump(by_alias=True)),
        secrets=None if parsed.secrets is None else _allow_list(parsed.secrets),
        notifiers=notifiers,
        cloudwatch=CloudWatchSettings(
            enabled=parsed.cloudwatch.enabled,
            namespace=parsed.cloudwatch.namespace,
            region=parsed.cloudwatch.region,
            flush_s=parsed.cloudwatch.flush,
            metrics=parsed.cloudwatch.metrics,
            aggregates=parsed.cloudwatch.aggregates,
            emf_file=None if parsed.cloudwatch.emf_file is None else FilePath(parsed.cloudwatch.emf_file),
        ),
        dashboard=_dashboard(parsed.dashboard),
        location=parsed.location,
        database_url=database_url,
        data_dir=None if parsed.data_dir is None else FilePath(parsed.data_dir),
    )


def _dashboard(section: schema.DashboardSection) -> DashboardSettings:
    return DashboardSettings(
        **section.model_dump(exclude={"oidc", "proxy"}),
        vouching=vouching.variables(section.model_dump(include={"oidc", "proxy"}, exclude_unset=True)),
    )


def _endpoint(section: schema.EndpointSection, defaults: schema.DefaultsSection) -> Endpoint:
    interval_s = section.interval if section.interval is not None else defaults.interval
    verify_tls = section.verify_tls if section.verify_tls is not None else defaults.verify_tls
    full_every_s = section.full_every if section.full_every is not None else defaults.full_every
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
        **_credentials(section.auth or schema.AuthSection()),
        on_request=tuple(dict.fromkeys(section.on_request)),
        browser_origins=tuple(dict.fromkeys(section.browser_origins)),
        full_every_s=full_every_s if math.isfinite(full_every_s) else None,
        cold_every_s=None if section.cold_every in (None, math.inf) else section.cold_every,
        cool_down_s=section.cool_down or rules.DEFAULT_COOL_DOWN_S,
        client_timeout_s=section.client_timeout,
        slow_after_s=section.slow_after,
        function=section.function,
        verify_tls=verify_tls,
        enabled=section.enabled,
    )


def _options(section: schema.EndpointSection) -> EndpointOptions:
    return EndpointOptions(
        fail_after=section.fail_after,
        recover_after=section.recover_after,
        depends_on=tuple(dict.fromkeys(section.depends_on)),
        metrics=section.metrics,
        public=section.public,
    )


def _rules(section: schema.IncidentsSection) -> Rules:
    return Rules(
        fail_after=section.fail_after,
        recover_after=section.recover_after,
        window=None if section.window is None else Window(section.window.bad, section.window.of),
        flaky=None if section.flaky == schema.NEVER else Window(section.flaky.bad, section.flaky.of),
        flap_changes=section.flap_changes,
        severities=dict(section.severities),
    )


def _alerting(section: schema.IncidentsSection) -> Alerting:
    return Alerting(
        mass_after=None if section.mass_after == schema.NEVER else section.mass_after,
        group_by=tuple(dict.fromkeys(section.group_by)),
        confirm_after_s=section.confirm_after,
        deploy_mute_s=section.deploy_mute,
    )


def _maintenance(section: schema.MaintenanceSection) -> MaintenanceWindow:
    hours, minutes = section.at.split(":")
    return MaintenanceWindow(
        name=section.name,
        zone=section.zone,
        at_minute=60 * int(hours) + int(minutes),
        lasts_s=section.lasts,
        weekdays=tuple(sorted({_WEEKDAYS.index(day) for day in section.weekdays})),
        month_days=tuple(sorted(set(section.month_days))),
        endpoints=tuple(dict.fromkeys(section.endpoints)),
        labels=dict(section.labels),
    )


def _retention(section: schema.RetentionSection) -> Retention:
    return Retention(
        evidence_days=section.evidence,
        reports_days=section.reports,
        hours_days=section.hours,
        days_days=None if isinstance(section.days, str) else section.days,
    )


def _observer(section: schema.ObserverSection) -> ObserverSettings:
    canaries = None if section.canaries is None else tuple(dict.fromkeys(section.canaries))
    return ObserverSettings(canaries=canaries, lag_ms=section.lag * 1000)


def _credentials(section: schema.AuthSection) -> dict[str, Any]:
    """The fields of an endpoint that say what proves who asks."""
    return {
        "bearer": section.bearer,
        "oauth": None if section.oauth is None else OAuth(**dict(section.oauth)),
        "token_header": section.token_header or values.AUTHORIZATION,
        "sigv4": None if section.sigv4 is None else SigV4(**dict(section.sigv4)),
    }


def _allow_list(section: schema.SecretsSection) -> AllowList:
    return AllowList(tuple(Allowed(entry.ref, entry.origin) for entry in section.allow))


def _merged_headers(common: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """An endpoint's own header stands over the common one of that name, whatever the spelling."""
    replaced = {name.lower() for name in own}
    return {name: value for name, value in common.items() if name.lower() not in replaced} | dict(own)


def expectation_from(given: Mapping[str, Any]) -> Expectation:
    """What `expect` of a sentinel says, given alone. Raises ConfigError."""
    try:
        return _expectation(schema.ExpectSection.model_validate(dict(given)))
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    problems = []
    for each in details:
        path = _path(each["loc"])
        message, hint = wording(each, schema.ExpectSection)
        problems.append(Problem("", f"{_spelled(path)}: {message}" if path else message, hint))
    raise ConfigError(problems)


def endpoint_from(given: Mapping[str, Any]) -> tuple[Endpoint, EndpointOptions]:
    """An entry of `endpoints`, given alone: by itself it has the defaults of a file that gives none.

    Whether the names in `depends_on` are watched is not looked at. Raises ConfigError; places are paths in the entry.
    """
    entry = dict(given)
    problems: list[Problem] = []
    try:
        section: schema.EndpointSection | None = schema.EndpointSection.model_validate(entry)
    except ValidationError as error:
        section = None
        found = error.errors(include_url=False, include_input=False)
        problems += (Problem(_spelled(_path(each["loc"])), *wording(each, schema.EndpointSection)) for each in found)
    for broken in rules.broken_rules({"endpoints": [entry]}):
        at = broken.path[2:]
        if broken.path[:2] == ("endpoints", 0) and at[:1] != ("depends_on",):
            problems.append(Problem(_spelled(at), broken.message, broken.hint))
    if section is None or problems:
        raise ConfigError(tuple(dict.fromkeys(problems)))
    return _endpoint(section, schema.DefaultsSection()), replace(_options(section), written=entry)


def _expectation(section: schema.ExpectSection) -> Expectation:
    return Expectation(
        text=section.text, matches=section.matches, json=section.json_, at=section.at, schema=section.schema_
    )


def _sentinel(section: schema.SentinelSection) -> Sentinel:
    return Sentinel(
        tool=section.tool,
        arguments=section.arguments,
        expect=_expectation(section.expect),
        safe_to_repeat=section.safe_to_repeat,
        pinned=section.pinned,
    )


def _notifiers(document: Document, directory: FilePath) -> Iterator[NotifierSpec]:
    """The channels that can be read in full, whatever else is wrong with the file."""
    entries = document.data.get("notifiers")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        path = ("notifiers", index)
        try:
            section = schema.NotifierSection.model_validate(entry)
        except ValidationError:
            continue
        if any(unread[:2] == path for unread in document.unread):
            continue
        options = dict(section.model_extra or {})
        name = section.name or section.kind
        yield NotifierSpec(
            name=name,
            kind=section.kind,
            options=options,
            place=document.place(path),
            option_places={key: document.place((*path, key)) for key in options},
            directory=directory,
            route=Route(
                channel=name,
                least=section.least,
                labels=dict(section.only),
                after_s=section.after,
                remind_every_s=section.remind,
                impairments=section.impairments,
            ),
            fallback=section.fallback,
        )
