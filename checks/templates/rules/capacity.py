"""How much of everything a function is given: time, memory, concurrency.

Sources: Lambda API reference, CreateFunction (defaults); Lambda Developer Guide, "Configuring reserved concurrency".
"""

from collections.abc import Iterator
from typing import Final

from checks.templates.adapter_layer import is_os_only, is_zip
from checks.templates.model import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT_S, Deployment
from checks.templates.unit import Fault, Fix, Severity, everywhere, rule

_LEAST_MB: Final = 256
"""Below this, Lambda gives a managed runtime so little CPU that importing an MCP SDK takes many seconds."""


def _property(name: str, value: int, in_cdk: str, option: str) -> Fix:
    yaml = f"{name}: {value}"
    cli = f"aws lambda update-function-configuration --function-name NAME {option} {value}"
    return Fix(sam=yaml, cloudformation=yaml, cdk=in_cdk, cli=cli)


@rule("timeout-default", diagnosis="function-timeout", severity=Severity.WARNING)
def timeout_default(deployment: Deployment) -> Iterator[Fault]:
    """The function has no more than the three seconds of the default, start included."""
    for function in deployment.mcp_functions:
        if function.timeout_s is not None and function.timeout_s <= DEFAULT_TIMEOUT_S:
            by_default = ", as by default" if function.timeout_s == DEFAULT_TIMEOUT_S else ""
            said = f"Timeout is {function.timeout_s:g} s{by_default}"
            fix = _property("Timeout", 28, "timeout: Duration.seconds(28)", "--timeout")
            yield Fault(subject=function.subject, at="Timeout", evidence=said, fix=fix)


@rule("memory-small", diagnosis="cold-start-exceeds-timeout", severity=Severity.WARNING)
def memory_small(deployment: Deployment) -> Iterator[Fault]:
    """The function has so little memory, and with it CPU, that it takes many seconds to start."""
    for function in deployment.mcp_functions:
        heavy = is_zip(function) and function.runtime is not None and not is_os_only(function)
        if heavy and function.memory_mb is not None and function.memory_mb < _LEAST_MB:
            by_default = ", as by default" if function.memory_mb == DEFAULT_MEMORY_MB else ""
            said = f"MemorySize is {function.memory_mb:g} MB{by_default}"
            fix = _property("MemorySize", 512, "memorySize: 512", "--memory-size")
            yield Fault(subject=function.subject, at="MemorySize", evidence=said, fix=fix)


@rule("concurrency-zero", diagnosis="throttled", severity=Severity.ERROR)
def concurrency_zero(deployment: Deployment) -> Iterator[Fault]:
    """Reserved concurrency is 0: the function is switched off, and every request gets 429."""
    for function in deployment.mcp_functions:
        if function.reserved == 0:
            yield Fault(
                subject=function.subject,
                at="ReservedConcurrentExecutions",
                evidence="ReservedConcurrentExecutions is 0",
                fix=Fix(
                    sam="leave out ReservedConcurrentExecutions, or 10 and more",
                    cloudformation="leave out ReservedConcurrentExecutions, or 10 and more",
                    cdk="leave out reservedConcurrentExecutions, or 10 and more",
                    cli="aws lambda delete-function-concurrency --function-name NAME",
                ),
            )


@rule("concurrency-one", diagnosis="throttled", severity=Severity.WARNING)
def concurrency_one(deployment: Deployment) -> Iterator[Fault]:
    """Reserved concurrency is 1: while one request or stream is open, every other gets 429."""
    for function in deployment.mcp_functions:
        if function.reserved == 1:
            yield Fault(
                subject=function.subject,
                at="ReservedConcurrentExecutions",
                evidence="ReservedConcurrentExecutions is 1, and an open event stream takes one as well",
                fix=everywhere("ReservedConcurrentExecutions: 10 or more, or none"),
            )
