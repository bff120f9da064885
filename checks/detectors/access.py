"""Causes at a Function URL's door: whether it is there, who may call it, and whose signature is wrong.

Sources: Lambda Developer Guide, "Control access to Lambda function URLs"; CloudFront Developer Guide, "Restrict
access to an AWS Lambda function URL origin"; IAM User Guide, "Troubleshoot Signature Version 4". Which of the two
statements of a policy is missing cannot be seen from outside.
"""

from datetime import timedelta
from typing import Final

from checks.detectors.scene import Scene, scene
from checks.front_door import relayed_by_cloudfront
from checks.http_date import read_date
from checks.model import Effect, Evidence, Exchange
from checks.proofs import header_proof
from checks.symptoms import Symptom, error_message, error_type
from checks.text import clean
from checks.unit import Cause, detector

_BOTH_STATEMENTS: Final = """\
For a public URL, set AuthType NONE and grant both actions (URLs made since October 2025 need the second one too):
  aws lambda add-permission --function-name NAME --statement-id url --action lambda:InvokeFunctionUrl \\
    --principal '*' --function-url-auth-type NONE
  aws lambda add-permission --function-name NAME --statement-id url-invoke --action lambda:InvokeFunction \\
    --principal '*' --invoked-via-function-url
  # SAM: FunctionUrlConfig: { AuthType: NONE }
  # CDK: fn.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.NONE }); versions since then grant both
For a URL with AuthType AWS_IAM, clients must sign their requests, and so must the prober:
  --sigv4 on the command line, or auth: {sigv4: true} in the endpoint's configuration"""

_FOR_PRINCIPAL: Final = """\
Let whoever signs in, by its own policy or by that of the function, with both actions:
  aws lambda add-permission --function-name NAME --statement-id prober --action lambda:InvokeFunctionUrl \\
    --principal ARN --function-url-auth-type AWS_IAM
  aws lambda add-permission --function-name NAME --statement-id prober-invoke --action lambda:InvokeFunction \\
    --principal ARN --invoked-via-function-url
  # CDK: url.grantInvokeUrl(principal); fn.grantInvoke(principal)"""

_SKEWED: Final = ("Signature expired", "Signature not yet current")
"""How AWS begins the message about a signature whose time is more than five minutes off its own."""
_TOLERANCE: Final = timedelta(minutes=5)
"""How far apart the clocks of signer and AWS may be (AWS API signing, "Troubleshoot": signature expired)."""


@detector("function-url-forbidden", effect=Effect.DOWN)
def function_url_forbidden(evidence: Evidence) -> Cause | None:
    """The Function URL refuses the request before any function runs: authorization type or resource policy."""
    found = scene(evidence, Symptom.URL_FORBIDDEN)
    if found is None:
        return None
    kind = error_type(found.exchange) or "Forbidden"
    proofs = header_proof(found.exchange, "x-amzn-errortype")
    deleted = "The alias behind the URL was deleted some minutes ago: `aws lambda list-aliases` tells."
    if evidence.endpoint.sigv4 is not None:
        return found.cause(
            0.9,
            f"The Function URL answers our signed {found.asked} with 403 {kind}: the signature is good, and whoever it "
            "is of may not call the function.",
            _FOR_PRINCIPAL,
            proofs=proofs,
            alternatives=(
                "A service control policy or a permission boundary denies it: CloudTrail has the event.",
                deleted,
            ),
        )
    return found.cause(
        0.95,
        f"The Function URL answers {found.asked} with 403 {kind}: no function ran.",
        _BOTH_STATEMENTS,
        proofs=proofs,
        alternatives=(
            "lambda:InvokeFunctionUrl is missing, or lambda:InvokeFunction is: `aws lambda get-policy` tells.",
            "AuthType is AWS_IAM: `aws lambda get-function-url-config` tells.",
            deleted,
        ),
    )


@detector("function-url-gone", effect=Effect.DOWN)
def function_url_gone(evidence: Evidence) -> Cause | None:
    """There is no Function URL of this id: it was deleted, or never existed."""
    found = scene(evidence, Symptom.URL_GONE)
    if found is None:
        return None
    return found.cause(
        0.95,
        '403 with {"Message":null}: no Function URL has this id.',
        f"A deleted URL never comes back under its old id. Put the new address into the {_holder(found.exchange)}:\n"
        "  aws lambda get-function-url-config --function-name NAME --query FunctionUrl",
        proofs=header_proof(found.exchange, "x-amzn-errortype"),
    )


def _holder(exchange: Exchange) -> str:
    """Where the address of a Function URL stands."""
    return "origin of the CloudFront distribution" if relayed_by_cloudfront(exchange) else "endpoint"


@detector("signature-rejected", effect=Effect.DOWN)
def signature_rejected(evidence: Evidence) -> Cause | None:
    """The request's AWS signature does not match, as it is for every POST that CloudFront signs without a body hash.

    Facts, where the fault is ours: `reason`, why we could not ask, in a word.
    """
    found = scene(evidence, Symptom.SIGNATURE_REJECTED)
    if found is None:
        return None
    if evidence.endpoint.sigv4 is not None:
        return _own_signature(found)
    at_edge = relayed_by_cloudfront(found.exchange)
    signer = "CloudFront's signature over" if at_edge else "the signature over"
    return found.cause(
        0.9 if at_edge else 0.75,
        f"403 InvalidSignatureException: {signer} {found.asked} does not match.",
        "Behind CloudFront with origin access control, MCP clients cannot work, because they send no "
        "x-amz-content-sha256 with a POST: add a Lambda@Edge function that does, or set the URL's AuthType to NONE "
        "and protect it otherwise. GET requests pass all the same, so health checks by GET do not notice.\n"
        "  aws lambda update-function-url-config --function-name NAME --auth-type NONE\n"
        "  # SAM: FunctionUrlConfig: { AuthType: NONE }\n"
        "  # CDK: new origins.FunctionUrlOrigin(url) instead of FunctionUrlOrigin.withOriginAccessControl(url)",
        proofs=(*header_proof(found.exchange, "x-amzn-errortype"), *header_proof(found.exchange, "via")),
        alternatives=("The clock of whoever signs is more than five minutes off: the error's text then names times.",),
    )


def _own_signature(found: Scene) -> Cause:
    """The signature was ours: our clock or our keys are wrong, or somebody changed the request on its way."""
    message = clean(error_message(found.exchange) or "the signature does not match", 200)
    proofs = (*header_proof(found.exchange, "x-amzn-errortype"), *header_proof(found.exchange, "date"))
    if error_type(found.exchange) == "ExpiredTokenException":
        return found.cause(
            0.95,
            "Nothing is known about the endpoint: the AWS credentials that the prober signs with have expired.",
            "Give the prober a role, whose credentials are renewed by themselves, or renew AWS_SESSION_TOKEN and the "
            "keys beside it.",
            proofs=proofs,
            effect=Effect.UNKNOWN,
            facts={"reason": "aws-credentials"},
        )
    if message.startswith(_SKEWED) or _clocks_differ(found.exchange):
        return found.cause(
            0.95,
            f"Our own clock is more than five minutes off, so that AWS takes no signature of ours: {message}.",
            "Set the clock of the machine that the prober runs on, and have it kept by NTP.",
            proofs=proofs,
            effect=Effect.UNKNOWN,
            facts={"reason": "clock-skew"},
        )
    return found.cause(
        0.85,
        f"403 InvalidSignatureException: AWS does not take our signature: {message}.",
        "Compare the prober's AWS keys, and `service` and `region` under `sigv4`, with the endpoint: lambda for a "
        "Function URL, execute-api for API Gateway, and the region of the function.",
        proofs=proofs,
        alternatives=("A proxy on the way changes the path, a signed header or the body after they were signed.",),
    )


def _clocks_differ(exchange: Exchange) -> bool:
    """Whether the front door's clock, by the Date of its answer, is too far from ours for any signature of ours."""
    theirs = read_date(exchange.header("date"))
    if theirs is None:
        return False
    ours = exchange.started_at + timedelta(milliseconds=exchange.timings.total_ms)
    return abs(theirs - ours) > _TOLERANCE
