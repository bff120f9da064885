"""What is known of the Lambda Web Adapter's layers, and how a function uses the adapter.

Source: the guide of the Lambda Web Adapter, "Zip packages", "Environment variables" and "Response streaming", and its
sources for what it does with a value that it does not know.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from checks.templates.model import Deployment, Function, Package
from checks.templates.values import is_told

CURRENT_VERSION: Final = 27
"""Of both layers, since 1.0.0."""
PUBLISHER: Final = "753240598075"
CHINA: Final = {"cn-north-1": "041581134020", "cn-northwest-1": "069767869989"}
NAMES: Final = {"x86_64": "LambdaAdapterLayerX86", "arm64": "LambdaAdapterLayerArm64"}
WRAPPER: Final = "/opt/bootstrap"
WRAPPER_VARIABLE: Final = "AWS_LAMBDA_EXEC_WRAPPER"
MODE_VARIABLE: Final = "AWS_LWA_INVOKE_MODE"
STATUS_VARIABLE: Final = "AWS_LWA_READINESS_CHECK_HEALTHY_STATUS"
DEFAULT_PORT: Final = "8080"

_LAYER: Final = re.compile(
    r"arn:(?P<partition>[^:]+):lambda:(?P<region>[^:]*):(?P<account>[^:]*):layer:(?P<name>LambdaAdapterLayer\w*)"
    r":(?P<version>.+)"
)
_OTHERS_LAYERS: Final = re.compile(r":(?:017000801446|580247275435|094274105915|901920570463|464622532012):layer:")
"""Layers that are known not to hold the adapter: Powertools, Lambda Insights, OpenTelemetry, Datadog."""
_SCRIPT: Final = re.compile(r"[\w./-]+\.(?:sh|bash)$")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the adapter, as a function names it."""

    index: int
    arn: str
    partition: str
    region: str
    account: str
    name: str
    version: str


def adapter_layer(function: Function) -> Layer | None:
    """The adapter's layer, by its name."""
    for index, arn in enumerate(function.layers or ()):
        if (found := _LAYER.fullmatch(_with_plain_colons(arn))) is not None:
            said = {name: value.replace("\0", "::") for name, value in found.groupdict().items()}
            return Layer(index, arn, **said)
    return None


def _with_plain_colons(arn: str) -> str:
    """The colons of `${AWS::Region}` separate nothing."""
    return arn.replace("::", "\0")


def has_unknown_layers(function: Function) -> bool:
    """Whether a layer may hold the adapter, or anything else, without its name telling."""
    if function.layers is None:
        return True
    return any(not is_known_layer(each) for each in function.layers)


def is_known_layer(arn: str) -> bool:
    """Whether it is known what is in a layer."""
    return _LAYER.fullmatch(_with_plain_colons(arn)) is not None or _OTHERS_LAYERS.search(arn) is not None


def variable_of(function: Function, *names: str) -> str | None:
    """The first of these environment variables that is set."""
    return next((value for name in names if (value := (function.environment or {}).get(name)) is not None), None)


def is_os_only(function: Function) -> bool:
    """Runtimes without a language start `bootstrap`, and know no wrapper scripts (Lambda Developer Guide)."""
    return function.runtime is not None and function.runtime.startswith("provided")


def has_script(function: Function) -> bool:
    """Whether the handler is a shell script, which only the adapter's wrapper can start."""
    return function.handler is not None and _SCRIPT.fullmatch(function.handler) is not None


def is_zip(function: Function) -> bool:
    """Whether it has layers and a managed start, and is no image."""
    return function.package is Package.ZIP


def has_adapter(function: Function) -> bool:
    """Whether the adapter is surely at work: by its layer, or in an image whose environment is for it."""
    if is_zip(function):
        wrapped = variable_of(function, WRAPPER_VARIABLE) == WRAPPER
        return adapter_layer(function) is not None and (wrapped or is_os_only(function))
    return function.package is Package.IMAGE and any(each.startswith("AWS_LWA_") for each in function.environment or ())


def is_for_adapter(function: Function) -> bool:
    """Whether it is written to be served through the adapter, also where a fault keeps the adapter from its work: that
    one must not hide what comes to light once it is mended."""
    if has_adapter(function):
        return True
    is_started_by_it = variable_of(function, WRAPPER_VARIABLE) == WRAPPER
    is_set_up = any(each.startswith("AWS_LWA_") for each in function.environment or ())
    return is_zip(function) and (is_started_by_it or is_set_up or adapter_layer(function) is not None)


def mode_of(function: Function) -> str:
    """The adapter's mode as it is written."""
    return (function.environment or {}).get(MODE_VARIABLE, "")


def streams(function: Function) -> bool | None:
    """Whether the adapter streams; None where it cannot be told. The adapter reads an unknown word as buffered."""
    if function.environment is None:
        return None
    mode = function.environment.get(MODE_VARIABLE, "buffered")
    return mode.lower() == "response_stream" if is_told(mode) else None


def adapted(deployment: Deployment) -> Iterator[Function]:
    """The functions at which the adapter is surely at work."""
    return (each for each in deployment.functions if has_adapter(each))
