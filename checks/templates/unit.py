"""How a rule is declared: an id, the diagnosis that would follow, and a function whose docstring is the description."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from checks.templates.model import Deployment, Dialect, Subject


class Severity(StrEnum):
    """What a finding does to the exit code: an error fails, a warning fails where one is strict, a note never."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What mends it, in the words of whatever made the deployment."""

    sam: str
    cloudformation: str
    cdk: str
    cli: str

    def in_words_of(self, dialect: Dialect) -> str:
        """The fix for somebody who writes in this dialect."""
        said = {
            Dialect.SAM: self.sam,
            Dialect.CLOUDFORMATION: self.cloudformation,
            Dialect.CDK: self.cdk,
            Dialect.CLI: self.cli,
        }
        return said[dialect]


def everywhere(text: str) -> Fix:
    """A fix that reads the same in all words."""
    return Fix(sam=text, cloudformation=text, cdk=text, cli=text)


def variable(name: str, value: str) -> Fix:
    """An environment variable of the function."""
    quoted = f'"{value}"'
    yaml = f"Environment: {{ Variables: {{ {name}: {quoted} }} }}"
    return Fix(
        sam=yaml,
        cloudformation=yaml,
        cdk=f"environment: {{ {name}: {quoted} }}",
        cli="aws lambda update-function-configuration --function-name NAME --environment FILE   # the whole set, with "
        f"{name}={value}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a rule found at one place."""

    subject: Subject
    at: str
    """Path of the property below those of the subject, such as `FunctionUrlConfig.InvokeMode`; empty for all of it."""
    evidence: str
    fix: Fix
    severity: Severity | None = None
    """Set where it weighs other than the rule usually does."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Names one fault of a deployment, without any input or output of its own."""

    id: str
    diagnosis: str | None
    """The detector that would find it once it is deployed; None where the deployment itself would fail."""
    severity: Severity
    fault: str
    find: Callable[[Deployment], Iterable[Fault]]


def rule(
    rule_id: str, *, diagnosis: str | None, severity: Severity
) -> Callable[[Callable[[Deployment], Iterable[Fault]]], Rule]:
    """Declare a rule. The first line of the docstring is the fault in plain words."""

    def declare(find: Callable[[Deployment], Iterable[Fault]]) -> Rule:
        if not find.__doc__:
            raise ValueError("a rule needs a docstring: its first line is shown to users")
        fault = find.__doc__.strip().splitlines()[0]
        return Rule(id=rule_id, diagnosis=diagnosis, severity=severity, fault=fault, find=find)

    return declare
