"""Function URLs: whether both sides stream, and who may call.

Sources: Lambda Developer Guide, "Control access to Lambda function URLs", "Response streaming for Lambda functions".
"""

from collections.abc import Iterator
from typing import Final

from checks.templates.adapter_layer import (
    MODE_VARIABLE,
    WRAPPER_VARIABLE,
    has_unknown_layers,
    is_for_adapter,
    is_zip,
    mode_of,
    streams,
)
from checks.templates.model import Deployment, Function, FunctionUrl
from checks.templates.unit import Fault, Fix, Severity, everywhere, rule
from checks.templates.values import is_told

_STREAM: Final = "RESPONSE_STREAM"
_BUFFER: Final = "BUFFERED"
_CANNOT_STREAM: Final = ("python", "java", "dotnet", "ruby")
"""Managed runtimes that stream nothing by themselves (Lambda Developer Guide: Node.js alone does)."""
_PUBLIC_ACTIONS: Final = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
_MODE: Final = f"Environment.Variables.{MODE_VARIABLE}"


def _urls(deployment: Deployment) -> Iterator[tuple[Function, FunctionUrl]]:
    for function in deployment.functions:
        for url in function.urls:
            yield function, url


_BOTH_STREAM: Final = Fix(
    sam=f'FunctionUrlConfig: {{ InvokeMode: {_STREAM} }} and {MODE_VARIABLE}: "response_stream" in the environment',
    cloudformation=f'InvokeMode: {_STREAM} of the AWS::Lambda::Url and {MODE_VARIABLE}: "response_stream" in the '
    "environment",
    cdk=f"fn.addFunctionUrl({{ invokeMode: lambda.InvokeMode.{_STREAM} }}) and environment: "
    f"{{ {MODE_VARIABLE}: 'response_stream' }}",
    cli=f"aws lambda update-function-url-config --function-name NAME --invoke-mode {_STREAM}\n"
    f"and {MODE_VARIABLE}=response_stream in the function's environment",
)


@rule("invoke-mode-url-streams", diagnosis="invoke-mode-mismatch", severity=Severity.ERROR)
def invoke_mode_url_streams(deployment: Deployment) -> Iterator[Fault]:
    """The Function URL streams and the adapter buffers: clients get the proxy envelope instead of MCP."""
    for function, url in _urls(deployment):
        if url.invoke_mode == _STREAM and is_for_adapter(function) and streams(function) is False:
            said = f"{MODE_VARIABLE} is {mode_of(function) or 'not set'}"
            yield Fault(
                subject=url.subject,
                at=f"{url.base}InvokeMode",
                evidence=f"InvokeMode is {_STREAM}, {said}, and so the adapter buffers",
                fix=_BOTH_STREAM,
            )


@rule("invoke-mode-adapter-streams", diagnosis="invoke-mode-mismatch", severity=Severity.ERROR)
def invoke_mode_adapter_streams(deployment: Deployment) -> Iterator[Fault]:
    """The adapter streams and the Function URL buffers: nothing streams, and the prelude may leak into the body."""
    for function, url in _urls(deployment):
        if url.invoke_mode == _BUFFER and is_for_adapter(function) and streams(function):
            yield Fault(
                subject=function.subject,
                at=_MODE,
                evidence=f"{MODE_VARIABLE} is {mode_of(function)}, InvokeMode of the Function URL is {_BUFFER}",
                fix=_BOTH_STREAM,
            )


@rule("invoke-mode-runtime", diagnosis="invoke-mode-mismatch", severity=Severity.WARNING)
def invoke_mode_runtime(deployment: Deployment) -> Iterator[Fault]:
    """The Function URL streams, and the runtime of the handler cannot: clients get the proxy envelope."""
    for function, url in _urls(deployment):
        if url.invoke_mode != _STREAM or not is_zip(function) or has_unknown_layers(function):
            continue
        if function.environment is None or WRAPPER_VARIABLE in function.environment or is_for_adapter(function):
            continue
        if (function.runtime or "").startswith(_CANNOT_STREAM):
            yield Fault(
                subject=url.subject,
                at=f"{url.base}InvokeMode",
                evidence=f"InvokeMode is {_STREAM}, the runtime is {function.runtime}, without the Lambda Web Adapter",
                fix=everywhere(f"InvokeMode: {_BUFFER}, or serve through the Lambda Web Adapter"),
            )


@rule("invoke-mode-invalid", diagnosis=None, severity=Severity.ERROR)
def invoke_mode_invalid(deployment: Deployment) -> Iterator[Fault]:
    """InvokeMode holds a word that Lambda does not know: the deployment fails."""
    for _, url in _urls(deployment):
        if url.invoke_mode is not None and url.invoke_mode not in (_STREAM, _BUFFER):
            yield Fault(
                subject=url.subject,
                at=f"{url.base}InvokeMode",
                evidence=f"the word is {url.invoke_mode!r}",
                fix=everywhere(f"InvokeMode: {_STREAM}, or {_BUFFER}"),
            )


def _permission(action: str, condition: str) -> str:
    return (
        "Type: AWS::Lambda::Permission\nProperties: { FunctionName: !Ref FUNCTION, "
        f'Action: {action}, Principal: "*", {condition} }}'
    )


_GRANT_BOTH: Final = Fix(
    sam="FunctionUrlConfig: { AuthType: NONE } makes both permissions; for an AWS::Lambda::Url add\n"
    f"{_permission(_PUBLIC_ACTIONS[0], 'FunctionUrlAuthType: NONE')}\n"
    f"{_permission(_PUBLIC_ACTIONS[1], 'InvokedViaFunctionUrl: true')}",
    cloudformation=f"{_permission(_PUBLIC_ACTIONS[0], 'FunctionUrlAuthType: NONE')}\n"
    f"{_permission(_PUBLIC_ACTIONS[1], 'InvokedViaFunctionUrl: true')}",
    cdk="fn.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE }) of a current aws-cdk-lib, which grants both",
    cli="aws lambda add-permission --function-name NAME --statement-id url --action lambda:InvokeFunctionUrl "
    "--principal '*' --function-url-auth-type NONE\n"
    "aws lambda add-permission --function-name NAME --statement-id url-invoke --action lambda:InvokeFunction "
    "--principal '*' --invoked-via-function-url",
)


@rule("url-permission-missing", diagnosis="function-url-forbidden", severity=Severity.ERROR)
def url_permission_missing(deployment: Deployment) -> Iterator[Fault]:
    """The Function URL is public, and the function's policy does not let the public in: every request gets 403."""
    for function, url in _urls(deployment):
        if url.auth_type != "NONE" or url.grants_itself or function.grants is None:
            continue
        granted = {each.action for each in function.grants if each.principal == "*"}
        untold = any(each.action is None or not is_told(each.principal) for each in function.grants)
        wanted = _PUBLIC_ACTIONS if url.needs_both else _PUBLIC_ACTIONS[:1]
        missing = [each for each in wanted if each not in granted]
        if missing and not untold:
            since = " (asked for since October 2025)" if missing == [_PUBLIC_ACTIONS[1]] else ""
            said = f"AuthType is NONE, and nobody grants * the action {' and '.join(missing)}{since}"
            yield Fault(subject=url.subject, at=f"{url.base}AuthType", evidence=said, fix=_GRANT_BOTH)


@rule("url-permission-of-cloudfront", diagnosis="function-url-forbidden", severity=Severity.ERROR)
def url_permission_of_cloudfront(deployment: Deployment) -> Iterator[Fault]:
    """CloudFront signs its requests to the Function URL, and holds one of the two permissions that it needs."""
    for function, url in _urls(deployment):
        if url.auth_type != "AWS_IAM" or not url.needs_both or not function.grants:
            continue
        edge = [each for each in function.grants if each.principal == "cloudfront.amazonaws.com"]
        granted = {each.action for each in edge}
        missing = [each for each in _PUBLIC_ACTIONS if each not in granted]
        if len(missing) == 1 and None not in granted:
            held = edge[0].subject
            text = (
                f"a second statement with {missing[0]} for cloudfront.amazonaws.com and the same SourceArn"
                f"{', InvokedViaFunctionUrl: true' if missing[0] == _PUBLIC_ACTIONS[1] else ''}"
            )
            yield Fault(
                subject=held,
                at="Action",
                evidence=f"cloudfront.amazonaws.com lacks {missing[0]}",
                fix=everywhere(text),
            )


@rule("url-auth-type", diagnosis="function-url-forbidden", severity=Severity.NOTE)
def url_auth_type(deployment: Deployment) -> Iterator[Fault]:
    """The Function URL asks for AWS signatures, which MCP clients do not make by themselves."""
    for function, url in _urls(deployment):
        is_server = function.subject.id in deployment.servers
        if is_server and url.auth_type == "AWS_IAM" and not deployment.behaviours_of(function):
            yield Fault(
                subject=url.subject,
                at=f"{url.base}AuthType",
                evidence="AuthType is AWS_IAM, and no CloudFront distribution that signs is seen before it",
                fix=everywhere("AuthType: NONE with OAuth in the server, if clients that cannot sign are to use it"),
            )


@rule("url-auth-type-invalid", diagnosis=None, severity=Severity.ERROR)
def url_auth_type_invalid(deployment: Deployment) -> Iterator[Fault]:
    """AuthType holds a word that Lambda does not know: the deployment fails."""
    for _, url in _urls(deployment):
        if url.auth_type is not None and url.auth_type not in ("NONE", "AWS_IAM"):
            said = f"the word is {url.auth_type!r}"
            fix = everywhere("AuthType: NONE, or AWS_IAM")
            yield Fault(subject=url.subject, at=f"{url.base}AuthType", evidence=said, fix=fix)
