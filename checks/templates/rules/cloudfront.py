"""CloudFront before a server: methods, headers, signatures and time limits of its behaviours.

Sources: CloudFront Developer Guide, "Restrict access to an AWS Lambda function URL origin", "Request and response
behavior for custom origins", "Use managed origin request policies".
"""

from collections.abc import Iterator
from typing import Final

from checks.spec import HEADER_SESSION, HEADER_VERSION
from checks.templates.model import Behaviour, Deployment, Forwarded, Function
from checks.templates.unit import Fault, Fix, Severity, everywhere, rule

_NEEDED: Final = (HEADER_SESSION.lower(), HEADER_VERSION.lower())
_ALL_BUT_HOST: Final = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
_GRACE_S: Final = 1.0

_FORWARD: Final = Fix(
    sam=f"OriginRequestPolicyId: {_ALL_BUT_HOST}   # AllViewerExceptHostHeader",
    cloudformation=f"OriginRequestPolicyId: {_ALL_BUT_HOST}   # AllViewerExceptHostHeader",
    cdk="originRequestPolicy: cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER",
    cli=f"aws cloudfront update-distribution, with OriginRequestPolicyId {_ALL_BUT_HOST} (AllViewerExceptHostHeader)",
)


def _behaviours(deployment: Deployment) -> Iterator[tuple[Function, Behaviour]]:
    """Behaviours that requests of MCP clients take: those for all paths, or for one that says so."""
    for each in deployment.behaviours:
        function = deployment.function(each.function)
        if function is None or function.subject.id not in deployment.servers:
            continue
        special = [other for other in deployment.behaviours_of(function) if "mcp" in other.pattern.lower()]
        if each in special or (not special and each.pattern in ("*", "/*")):
            yield function, each


@rule("cloudfront-methods", diagnosis="route-missing", severity=Severity.ERROR)
def cloudfront_methods(deployment: Deployment) -> Iterator[Fault]:
    """CloudFront lets no POST through to the server, which is how MCP asks."""
    for _, each in _behaviours(deployment):
        if each.methods is not None and "POST" not in each.methods:
            yield Fault(
                subject=each.subject,
                at=f"{each.base}AllowedMethods",
                evidence=f"the behaviour for {each.pattern} allows {', '.join(each.methods)}",
                fix=Fix(
                    sam="AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]",
                    cloudformation="AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]",
                    cdk="allowedMethods: cloudfront.AllowedMethods.ALLOW_ALL",
                    cli="aws cloudfront update-distribution, with all seven AllowedMethods",
                ),
            )


@rule("cloudfront-headers", diagnosis="headers-stripped", severity=Severity.ERROR)
def cloudfront_headers(deployment: Deployment) -> Iterator[Fault]:
    """CloudFront takes the headers of MCP out of requests."""
    for _, each in _behaviours(deployment):
        if not isinstance(each.forwards, frozenset):
            continue
        missing = [name for name in _NEEDED if name not in each.forwards]
        if missing:
            yield Fault(
                subject=each.subject,
                at=f"{each.base}OriginRequestPolicyId",
                evidence=f"the behaviour for {each.pattern} does not forward {', '.join(missing)}",
                fix=_FORWARD,
            )


@rule("cloudfront-host", diagnosis="function-url-forbidden", severity=Severity.ERROR)
def cloudfront_host(deployment: Deployment) -> Iterator[Fault]:
    """CloudFront hands its own host name to the Function URL, which knows no such name and answers 403."""
    for _, each in _behaviours(deployment):
        if each.to_url and each.forwards is Forwarded.ALL:
            yield Fault(
                subject=each.subject,
                at=f"{each.base}OriginRequestPolicyId",
                evidence=f"the behaviour for {each.pattern} forwards every header, Host as well",
                fix=_FORWARD,
            )


@rule("cloudfront-signs-posts", diagnosis="signature-rejected", severity=Severity.ERROR)
def cloudfront_signs_posts(deployment: Deployment) -> Iterator[Fault]:
    """CloudFront signs requests without a hash of their body, which MCP clients do not send: every POST gets 403."""
    for function, each in _behaviours(deployment):
        iam = any(url.auth_type == "AWS_IAM" for url in function.urls)
        if each.to_url and iam and each.signs and not each.has_edge_function:
            yield Fault(
                subject=each.subject,
                at=each.base.removesuffix("."),
                evidence=f"the behaviour for {each.pattern} has an origin with origin access control, and no "
                "Lambda@Edge function that could add x-amz-content-sha256",
                fix=everywhere(
                    "a Lambda@Edge function (origin request, IncludeBody: true) that sets x-amz-content-sha256; or no "
                    "OriginAccessControlId and AuthType: NONE, protected otherwise"
                ),
            )


@rule("cloudfront-caches", diagnosis="malformed-response", severity=Severity.WARNING)
def cloudfront_caches(deployment: Deployment) -> Iterator[Fault]:
    """CloudFront may keep answers to GET, an event stream among them, and give them to somebody else."""
    for _, each in _behaviours(deployment):
        if each.caches:
            yield Fault(
                subject=each.subject,
                at=f"{each.base}CachePolicyId",
                evidence=f"the cache policy of the behaviour for {each.pattern} keeps answers",
                fix=Fix(
                    sam="CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad   # CachingDisabled",
                    cloudformation="CachePolicyId: 4135ea2d-6df8-44a3-9df3-4b5a84be39ad   # CachingDisabled",
                    cdk="cachePolicy: cloudfront.CachePolicy.CACHING_DISABLED",
                    cli="aws cloudfront update-distribution, with CachePolicyId 4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                ),
            )


@rule("cloudfront-timeout", diagnosis="gateway-timeout", severity=Severity.WARNING)
def cloudfront_timeout(deployment: Deployment) -> Iterator[Fault]:
    """CloudFront gives up before a function that buffers does."""
    for function, each in _behaviours(deployment):
        buffers = each.to_url and all(url.invoke_mode == "BUFFERED" for url in function.urls)
        if not buffers or function.timeout_s is None or each.read_timeout_s is None:
            continue
        if function.timeout_s > each.read_timeout_s + _GRACE_S:
            yield Fault(
                subject=function.subject,
                at="Timeout",
                evidence=f"the function may take {function.timeout_s:g} s, CloudFront waits for "
                f"{each.read_timeout_s:g} s",
                fix=everywhere(f"Timeout: {int(each.read_timeout_s) - 1}, or a longer OriginReadTimeout of the origin"),
            )
