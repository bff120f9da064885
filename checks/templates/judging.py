"""Asks every rule about a deployment; about a template, in every world that its conditions allow."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from checks.templates.adapter_layer import has_adapter, has_unknown_layers, is_zip
from checks.templates.building import deployment_of
from checks.templates.catalog import RULES
from checks.templates.model import Deployment, Function, Package, Subject
from checks.templates.resolve import MOST_WORLDS, World, worlds
from checks.templates.stack import Stack, Template
from checks.templates.unit import Fault, Rule, Severity
from checks.text import clean

_LEVELS: Final = tuple(Severity)
MOST_FINDINGS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault at one place, in full."""

    rule: str
    diagnosis: str | None
    severity: Severity
    fault: str
    subject: Subject
    at: str
    evidence: str
    fix: str
    line: int | None = None
    under: str = ""
    """In which case it holds, where it does not always."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What came of asking every rule."""

    findings: tuple[Finding, ...]
    servers: tuple[str, ...]
    """The functions that were taken for MCP servers."""
    others: tuple[str, ...]
    """The functions beside them."""
    untold: tuple[str, ...]
    """What could not be told, in sentences."""


def judge(deployment: Deployment) -> list[Finding]:
    """The findings of all rules about one deployment."""
    return [_finding(deployment, rule, fault) for rule in RULES for fault in rule.find(deployment)][:MOST_FINDINGS]


def judge_template(
    template: Template,
    *,
    chosen: Sequence[str] = (),
    region: str | None = None,
    client_timeout_s: float | None = None,
) -> Judgement:
    """The findings about a template. `chosen` are the logical ids of its MCP servers, where somebody names them."""
    possible, all_tried = worlds(template.data, template.resources.values())
    found: dict[tuple[str, Subject, str], dict[int, Finding]] = {}
    servers: dict[str, None] = {}
    others: dict[str, None] = {}
    untold = dict.fromkeys(template.elsewhere)
    for number, world in enumerate(possible):
        deployment = replace(
            deployment_of(Stack(template, world), chosen=chosen), region=region, client_timeout_s=client_timeout_s
        )
        servers |= dict.fromkeys(sorted(each.subject.id for each in deployment.mcp_functions))
        others |= dict.fromkeys(each.subject.id for each in deployment.functions)
        untold |= dict.fromkeys(untold_of(deployment))
        for each in judge(deployment):
            found.setdefault((each.rule, each.subject, each.at), {}).setdefault(number, each)
    if not all_tried:
        untold[f"conditions: they have more than {MOST_WORLDS} combinations, of which each was tried by itself"] = None
    findings = [
        replace(next(iter(each.values())), under=_under(possible, each), line=template.line(subject, at))
        for (_, subject, at), each in found.items()
    ]
    return Judgement(
        findings=tuple(sorted(findings, key=lambda each: (_LEVELS.index(each.severity), each.line or 0))),
        servers=tuple(servers),
        others=tuple(each for each in others if each not in servers),
        untold=tuple(untold),
    )


def untold_of(deployment: Deployment) -> list[str]:
    """What the configuration does not show, function by function."""
    said = [*deployment.untold]
    if not deployment.servers:
        said.append("which function is the MCP server: no name says so; routes, CORS and limits were not looked at")
    for each in deployment.functions:
        if each.subject.id in deployment.servers or has_adapter(each):
            said += [f"{each.subject.id}: {what}" for what in _untold_of(deployment, each)]
    return said


def _untold_of(deployment: Deployment, function: Function) -> Iterable[str]:
    if function.package is Package.IMAGE:
        yield "whether the image holds the Lambda Web Adapter, its version, and what the image starts"
    if function.package is None or function.environment is None:
        yield "its package type or its environment, which are only known once it is deployed"
    if is_zip(function) and has_unknown_layers(function):
        yield "what is in layers that are named by reference, or are not the adapter's own"
    if is_zip(function) and has_adapter(function):
        yield "whether the handler's file is executable and has LF line ends"
    if function.grants is None and any(not url.grants_itself for url in function.urls):
        yield "who may call it: some permissions name a function that is only known once it is deployed"
    if any(url.auth_type is None for url in function.urls):
        yield "the authorization type of its Function URL"
    reachable = function.urls or deployment.gateways_of(function)
    if not reachable and not deployment.untold:
        yield "how clients reach it: nothing here leads to it by HTTP"


def _finding(deployment: Deployment, rule: Rule, fault: Fault) -> Finding:
    return Finding(
        rule=rule.id,
        diagnosis=rule.diagnosis,
        severity=fault.severity or rule.severity,
        fault=rule.fault,
        subject=fault.subject,
        at=clean(fault.at, 300),
        evidence=clean(fault.evidence, 500),
        fix=clean(fault.fix.in_words_of(deployment.dialect), 1500, keep_lines=True),
    )


def _under(possible: Sequence[World], found: Mapping[int, Finding]) -> str:
    """The case in which a finding holds: one choice where that suffices, else the first world that has it."""
    if len(found) == len(possible):
        return ""
    first = possible[next(iter(found))]
    for name, value in first.chosen.items():
        alike = {number for number, world in enumerate(possible) if world.chosen.get(name) == value}
        if alike == found.keys():
            return clean(World({name: value}).told(), 300)
    return clean(first.told(), 300)
