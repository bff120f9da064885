"""The Lambda Web Adapter: is it there, in a version that knows what it is told, and does it start the server."""

import re
from collections.abc import Iterator
from typing import Final

from checks.templates.adapter_layer import (
    CHINA,
    CURRENT_VERSION,
    NAMES,
    PUBLISHER,
    STATUS_VARIABLE,
    WRAPPER,
    WRAPPER_VARIABLE,
    Layer,
    adapter_layer,
    has_script,
    has_unknown_layers,
    is_os_only,
    is_zip,
    streams,
    variable_of,
)
from checks.templates.model import Deployment, Function
from checks.templates.unit import Fault, Fix, Severity, everywhere, rule, variable
from checks.templates.values import is_told

_EXAMPLE_ACCOUNTS: Final = frozenset(
    {"123456789012", "111122223333", "444455556666", "000000000000", "999999999999", "111111111111", "012345678901"}
)
"""What AWS writes in examples."""
_FUNCTION_HANDLER: Final = re.compile(r"[\w./-]+\.(?:handler|lambda_handler)|.+::.+")
_ENV: Final = "Environment.Variables"
_REMOVED_VARIABLE: Final = "AWS_LWA_READINESS_CHECK_MIN_UNHEALTHY_STATUS"
"""The adapter's changelog: 1.0.0 put AWS_LWA_READINESS_CHECK_HEALTHY_STATUS into its place."""
_LAST_OF_0_9: Final = 25
"""The layer's version of 0.9.1."""


def _layer_fix(function: Function) -> Fix:
    architecture = function.architecture or "x86_64"
    arn = f"arn:aws:lambda:${{AWS::Region}}:{PUBLISHER}:layer:{NAMES.get(architecture, NAMES['x86_64'])}"
    yaml = f"Layers: [!Sub '{arn}:{CURRENT_VERSION}']"
    in_code = arn.replace("${AWS::Region}", "${this.region}")
    return Fix(
        sam=yaml,
        cloudformation=yaml,
        cdk=f"layers: [lambda.LayerVersion.fromLayerVersionArn(this, 'Adapter', `{in_code}:{CURRENT_VERSION}`)]",
        cli="aws lambda update-function-configuration --function-name NAME --layers "
        f"{arn.replace('${AWS::Region}', 'REGION')}:{CURRENT_VERSION}",
    )


@rule("adapter-layer-missing", diagnosis="function-crash", severity=Severity.ERROR)
def adapter_layer_missing(deployment: Deployment) -> Iterator[Fault]:
    """The function is started through the Lambda Web Adapter, and no layer brings the adapter."""
    for function in deployment.functions:
        if not is_zip(function) or has_unknown_layers(function) or adapter_layer(function) is not None:
            continue
        if variable_of(function, WRAPPER_VARIABLE) == WRAPPER and not is_os_only(function):
            said = f"{WRAPPER_VARIABLE} is {WRAPPER}, a file of the adapter's layer, and none of the layers holds it"
            yield Fault(subject=function.subject, at="Layers", evidence=said, fix=_layer_fix(function))
        elif (name := _adapter_variable(function)) is not None:
            said = f"{name} is set for the adapter, and none of the layers holds it"
            yield Fault(
                subject=function.subject,
                at="Layers",
                evidence=said,
                fix=_layer_fix(function),
                severity=Severity.WARNING,
            )


def _adapter_variable(function: Function) -> str | None:
    return next((name for name in function.environment or () if name.startswith("AWS_LWA_")), None)


def _layers(deployment: Deployment) -> Iterator[tuple[Function, Layer]]:
    for function in deployment.functions:
        if is_zip(function) and (layer := adapter_layer(function)) is not None:
            yield function, layer


@rule("adapter-layer-architecture", diagnosis="function-crash", severity=Severity.ERROR)
def adapter_layer_architecture(deployment: Deployment) -> Iterator[Fault]:
    """The adapter's layer is built for another processor than the function runs on."""
    for function, layer in _layers(deployment):
        wanted = function.architecture
        if wanted in NAMES and layer.name in NAMES.values() and layer.name != NAMES[wanted]:
            said = f"{layer.name} on a function whose architecture is {wanted}"
            yield Fault(subject=function.subject, at=f"Layers[{layer.index}]", evidence=said, fix=_layer_fix(function))


@rule("adapter-layer-old", diagnosis="invoke-mode-mismatch", severity=Severity.NOTE)
def adapter_layer_old(deployment: Deployment) -> Iterator[Fault]:
    """A streaming function has an adapter from before 1.0.0; some of these never end an answer without a body."""
    for function, layer in _layers(deployment):
        old = layer.version.isdecimal() and int(layer.version) < CURRENT_VERSION and layer.account == PUBLISHER
        if old and streams(function):
            said = f"version {layer.version} of {layer.name}; 1.0.0 is version {CURRENT_VERSION}"
            yield Fault(subject=function.subject, at=f"Layers[{layer.index}]", evidence=said, fix=_layer_fix(function))


@rule("adapter-variable-ignored", diagnosis="function-timeout", severity=Severity.WARNING)
def adapter_variable_ignored(deployment: Deployment) -> Iterator[Fault]:
    """The adapter's version does not know a setting for its readiness check, and takes its default instead."""
    for function, layer in _layers(deployment):
        if not layer.version.isdecimal() or layer.account != PUBLISHER:
            continue
        is_old = int(layer.version) <= _LAST_OF_0_9
        name = STATUS_VARIABLE if is_old else _REMOVED_VARIABLE
        if name in (function.environment or {}):
            known = "versions from 1.0.0 on" if is_old else "versions before 1.0.0"
            said = f"{name} is for {known}; version {layer.version} of the layer ignores it"
            fix = _layer_fix(function) if is_old else variable(STATUS_VARIABLE, "100-499")
            yield Fault(subject=function.subject, at=f"{_ENV}.{name}", evidence=said, fix=fix)


@rule("adapter-layer-nowhere", diagnosis=None, severity=Severity.ERROR)
def adapter_layer_nowhere(deployment: Deployment) -> Iterator[Fault]:
    """There is no such layer: the account, the Region or the name in its ARN is wrong, and the deployment fails."""
    for function, layer in _layers(deployment):
        said = _nowhere(layer, deployment.region)
        if said is not None:
            yield Fault(subject=function.subject, at=f"Layers[{layer.index}]", evidence=said, fix=_layer_fix(function))


def _nowhere(layer: Layer, region: str | None) -> str | None:
    publishers = {PUBLISHER, *CHINA.values()}
    if layer.account in publishers and layer.name not in NAMES.values():
        return f"{layer.name} is not published: there are {' and '.join(NAMES.values())}"
    if layer.account in _EXAMPLE_ACCOUNTS:
        return f"account {layer.account} is one of examples; the adapter is published by {PUBLISHER}"
    if layer.account not in publishers and _is_mistyped(layer.account):
        return f"account {layer.account} is not {PUBLISHER}, which publishes the adapter, but looks like it"
    if layer.partition == "aws-cn" and layer.account == PUBLISHER:
        return f"account {PUBLISHER} publishes nothing in China: there it is {CHINA['cn-north-1']} in cn-north-1"
    if layer.partition == "aws" and layer.account in CHINA.values():
        return f"account {layer.account} publishes in China alone"
    if region is not None and is_told(layer.region) and layer.region != region:
        return f"the layer is in {layer.region}, the function in {region}: a layer serves its own Region alone"
    return None


def _is_mistyped(account: str) -> bool:
    """Whether it is the publisher's with one digit changed, or two neighbours swapped."""
    if not account.isdecimal() or len(account) != len(PUBLISHER):
        return False
    differ = [n for n, (one, other) in enumerate(zip(account, PUBLISHER, strict=True)) if one != other]
    swapped = len(differ) == 2 and sorted(account[n] for n in differ) == sorted(PUBLISHER[n] for n in differ)
    return len(differ) == 1 or swapped


@rule("exec-wrapper-missing", diagnosis="function-crash", severity=Severity.ERROR)
def exec_wrapper_missing(deployment: Deployment) -> Iterator[Fault]:
    """Nothing starts the program that the adapter serves: AWS_LAMBDA_EXEC_WRAPPER is not set."""
    for function in deployment.functions:
        if not is_zip(function) or function.runtime is None or is_os_only(function) or function.environment is None:
            continue
        if WRAPPER_VARIABLE in function.environment:
            continue
        if has_script(function):
            said = f"Handler is {function.handler}, which {function.runtime} takes for the name of a module"
        elif function.handler is not None and (layer := adapter_layer(function)) is not None:
            said = f"Handler is {function.handler}, which {function.runtime} calls itself, past {layer.name}"
        else:
            continue
        fix = variable(WRAPPER_VARIABLE, WRAPPER)
        yield Fault(subject=function.subject, at="Handler", evidence=said, fix=fix)


@rule("handler-not-a-program", diagnosis="function-crash", severity=Severity.ERROR)
def handler_not_a_program(deployment: Deployment) -> Iterator[Fault]:
    """The adapter's wrapper runs the handler as a program, and the handler names a function in a module."""
    fix = everywhere(
        "Handler: run.sh, an executable file with LF line ends that starts the server, such as\n  #!/bin/sh\n  exec "
        "python -m server\nor, if the handler speaks to Lambda by itself, leave out AWS_LAMBDA_EXEC_WRAPPER."
    )
    for function in deployment.functions:
        if not is_zip(function) or variable_of(function, WRAPPER_VARIABLE) != WRAPPER or is_os_only(function):
            continue
        if function.handler is not None and _FUNCTION_HANDLER.fullmatch(function.handler):
            said = f"{WRAPPER} runs the file {function.handler} of the package"
            yield Fault(subject=function.subject, at="Handler", evidence=said, fix=fix)
