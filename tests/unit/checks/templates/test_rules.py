# ruff: noqa: E501 - a broken template stands on one line with the rule that it breaks
"""Every rule has a template that triggers it alone, and healthy templates trigger none."""

import json
from pathlib import Path
from typing import Any

import pytest

from checks.catalog import DETECTORS
from checks.templates.catalog import RULES
from checks.templates.judging import Judgement, judge_template
from checks.templates.model import Dialect
from checks.templates.unit import Severity
from prober.endpoints.template_file import parse_template

HEALTHY = sorted((Path(__file__).parent / "healthy").iterdir())

ZIP = "sam_zip_adapter.yaml"
IMAGE = "sam_image_adapter.yaml"
NATIVE = "sam_native_image.yaml"
MANGUM = "sam_mangum_http_api.yaml"
RUST = "sam_rust_rest_api.yaml"
URL = "cloudformation_function_url.yaml"
REST = "cloudformation_rest_streaming.yaml"
HTTP = "cloudformation_http_api.yaml"
CDK_APIS = "cdk_apis.json"
OPEN_API = "cloudformation_open_api.yaml"
BALANCER = "cloudformation_balancer.yaml"
EDGE = "cloudformation_cloudfront_oac.yaml"

LAYER = "!Sub arn:aws:lambda:${AWS::Region}:753240598075:layer:LambdaAdapterLayerArm64:27"
WRAPPER = "          AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap\n"
STREAMS = "          AWS_LWA_INVOKE_MODE: response_stream\n"

Edits = tuple[tuple[str, str], ...]

BROKEN: list[tuple[str, str, Edits]] = [
    ("adapter-layer-missing", URL, (("Layers: [!Join", "Tags: [!Join"),)),
    ("adapter-layer-missing", RUST, (("Timeout: 29", 'Timeout: 29\n      Environment: {Variables: {AWS_LWA_PORT: "8080"}}'),)),
    ("adapter-layer-architecture", ZIP, (("LayerArm64", "LayerX86"),)),
    ("adapter-layer-old", ZIP, (("Arm64:27", "Arm64:24"), ("          AWS_LWA_READINESS_CHECK_HEALTHY_STATUS: 200-299\n", ""))),
    ("adapter-variable-ignored", URL, (("/opt/bootstrap}}", "/opt/bootstrap, AWS_LWA_READINESS_CHECK_HEALTHY_STATUS: 100-499}}"), ('"27"', '"25"'))),
    ("adapter-variable-ignored", URL, (("/opt/bootstrap}}", "/opt/bootstrap, AWS_LWA_READINESS_CHECK_MIN_UNHEALTHY_STATUS: 500}}"),)),
    ("adapter-layer-nowhere", ZIP, (("753240598075", "753240598057"),)),
    ("adapter-layer-nowhere", ZIP, (("753240598075", "123456789012"),)),
    ("adapter-layer-nowhere", ZIP, (("LayerArm64", "LayerARM64"),)),
    ("adapter-layer-nowhere", ZIP, (("arn:aws:", "arn:aws-cn:"),)),
    ("exec-wrapper-missing", URL, (("Environment: {Variables: {AWS_LAMBDA_EXEC_WRAPPER: /opt/bootstrap}}", ""),)),
    ("exec-wrapper-missing", ZIP, ((WRAPPER, ""), ("Handler: run.sh", "Handler: app.lambda_handler"))),
    ("handler-not-a-program", ZIP, (("Handler: run.sh", "Handler: app.lambda_handler"),)),
    ("adapter-port", IMAGE, (('--port, "8080"', '--port, "8000"'),)),
    ("adapter-port", ZIP, (('PORT: "8000"\n          AWS', 'FASTMCP_PORT: "8001"\n          AWS'),)),
    ("adapter-port", ZIP, (('          PORT: "8000"\n', '          PORT: "3000"\n'),)),
    ("adapter-port", ZIP, (('LWA_PORT: "8000"\n          PORT: "8000"', 'LWA_PORT: "80"'),)),
    ("adapter-port", ZIP, (('LWA_PORT: "8000"\n          PORT: "8000"', 'LWA_PORT: "9001"'),)),
    ("adapter-port", ZIP, (('LWA_PORT: "8000"\n          PORT: "8000"', 'LWA_PORT: http'),)),
    ("adapter-host", ZIP, ((WRAPPER, f"{WRAPPER}          HOST: mcp.example.com\n"),)),
    ("adapter-host", ZIP, ((WRAPPER, f'{WRAPPER}          AWS_LWA_HOST: "::1"\n'),)),
    ("adapter-variable-shadowed", ZIP, ((WRAPPER, f"{WRAPPER}          READINESS_CHECK_PATH: /ready\n"),)),
    ("adapter-readiness", ZIP, ((WRAPPER, f'{WRAPPER}          READINESS_CHECK_PORT: "9000"\n'),)),
    ("adapter-mode-unknown", URL, (("/opt/bootstrap}}", "/opt/bootstrap, AWS_LWA_INVOKE_MODE: RESPONSE-STREAM}}"),)),
    ("adapter-readiness", IMAGE, (("100-499", "ok"),)),
    ("adapter-readiness", IMAGE, (("100-499", "200-299"),)),
    ("adapter-error-statuses", ZIP, ((STREAMS, f"{STREAMS}          AWS_LWA_ERROR_STATUS_CODES: 400-599\n"),)),
    ("invoke-mode-url-streams", ZIP, ((STREAMS, ""),)),
    ("invoke-mode-adapter-streams", ZIP, (("        InvokeMode: RESPONSE_STREAM\n", ""),)),
    ("invoke-mode-runtime", URL, (("AuthType: NONE}", "AuthType: NONE, InvokeMode: RESPONSE_STREAM}"), ("Layers: [!Join", "Tags: [!Join"), ("      Environment: {", "      Description: {"), ("run.sh", "app.handler"))),
    ("invoke-mode-invalid", IMAGE, (("InvokeMode: RESPONSE_STREAM}", "InvokeMode: STREAM}"),)),
    ("url-permission-missing", URL, (("Action: \"lambda:InvokeFunction\"", "Action: \"lambda:GetFunction\""),)),
    ("url-permission-missing", URL, (("Action: \"lambda:InvokeFunctionUrl\"", "Action: \"lambda:GetFunction\""),)),
    ("url-permission-of-cloudfront", EDGE, (("Action: lambda:InvokeFunction\n", "Action: lambda:GetFunction\n"),)),
    ("url-auth-type", IMAGE, (("AuthType: NONE", "AuthType: AWS_IAM"),)),
    ("url-auth-type-invalid", IMAGE, (("AuthType: NONE", "AuthType: IAM"),)),
    ("gateway-cannot-stream", BALANCER, (("AWS_LWA_PORT: 8080", "AWS_LWA_INVOKE_MODE: response_stream"),)),
    ("rest-api-buffers", REST, (("        ResponseTransferMode: STREAM\n", ""), ("Timeout: 300\n", "Timeout: 28\n"))),
    ("rest-api-streams", REST, (("AWS_LWA_INVOKE_MODE: response_stream", "AWS_LWA_INVOKE_MODE: buffered"),)),
    ("route-for-post-missing", HTTP, (("ANY /mcp", "GET /mcp"),)),
    ("route-for-post-missing", RUST, (("Method: any", "Method: get"),)),
    ("route-for-post-missing", CDK_APIS, (('"HttpMethod": "ANY"', '"HttpMethod": "GET"'),)),
    ("cors-session-hidden", CDK_APIS, (('"ExposeHeaders": ["Mcp-Session-Id"]', '"MaxAge": 5'),)),
    ("timeout-order", CDK_APIS, (('"Timeout": 29', '"Timeout": 900'),)),
    ("route-for-post-missing", OPEN_API, (("x-amazon-apigateway-any-method", "get"),)),
    ("timeout-order", OPEN_API, (("Timeout: 28", "Timeout: 60"),)),
    ("route-methods-missing", HTTP, (("ANY /mcp", "POST /mcp"),)),
    ("stage-in-path", NATIVE, (
        ("    Metadata:", "      Environment: {Variables: {AWS_LWA_PORT: \"8080\"}}\n    Metadata:"),
        ("Path: /mcp,", "ApiId: !Ref Api, Path: /mcp,"),
        ("Resources:", "Resources:\n  Api: {Type: AWS::Serverless::HttpApi, Properties: {StageName: prod}}"),
    )),
    ("timeout-order", MANGUM, (("Timeout: 29", "Timeout: 60"),)),
    ("timeout-order", BALANCER, (("Timeout: 55", "Timeout: 90"),)),
    ("binary-media-types", RUST, (("Resources:", 'Globals: {Api: {BinaryMediaTypes: ["*~1*"]}}\nResources:\n  Api: {Type: AWS::Serverless::Api, Properties: {StageName: prod}}'), ("Path: ", "RestApiId: !Ref Api, Path: "))),
    ("cloudfront-methods", EDGE, (("[GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]", "[GET, HEAD]"),)),
    ("cloudfront-headers", EDGE, (("          OriginRequestPolicyId: b689b0a8-53d0-40ab-baf2-68738e2966ac\n", ""),)),
    ("cloudfront-host", EDGE, (("b689b0a8-53d0-40ab-baf2-68738e2966ac", "216adef6-5c7f-47e4-b989-5492eafa07d3"),)),
    ("cloudfront-signs-posts", EDGE, (("LambdaFunctionAssociations", "FunctionAssociations"),)),
    ("cloudfront-caches", EDGE, (("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6"),)),
    ("cloudfront-timeout", EDGE, (("Timeout: 25", "Timeout: 90"),)),
    ("cors-session-hidden", ZIP, (("ExposeHeaders: [mcp-session-id,", "ExposeHeaders: ["),)),
    ("cors-session-hidden", MANGUM, (("      ExposeHeaders: [Mcp-Session-Id]\n", ""),)),
    ("cors-headers-refused", ZIP, (("mcp-protocol-version, mcp-session-id]", "x-other]"),)),
    ("cors-method-refused", ZIP, (("[GET, POST, DELETE]", "[GET]"),)),
    ("cors-origins", ZIP, (("https://app.example.com", "https://app.example.com/"),)),
    ("cors-origins", MANGUM, (('AllowOrigins: ["*"]\n', 'AllowOrigins: ["*"]\n      AllowCredentials: true\n'), ('AllowHeaders: ["*"]', "AllowHeaders: [content-type, mcp-protocol-version, mcp-session-id]"))),
    ("cors-options-named", ZIP, (("[GET, POST, DELETE]", "[GET, POST, OPTIONS]"),)),
    ("timeout-default", HTTP, (("      Timeout: 28\n", ""),)),
    ("memory-small", HTTP, (("      MemorySize: 512\n", ""),)),
    ("concurrency-zero", ZIP, (("  Cleaner:", "      ReservedConcurrentExecutions: 0\n  Cleaner:"),)),
    ("concurrency-one", ZIP, (("  Cleaner:", "      ReservedConcurrentExecutions: 1\n  Cleaner:"),)),
]  # fmt: skip


def text_of(name: str, edits: Edits = ()) -> str:
    text = next(each for each in HEALTHY if each.name == name).read_text()
    for old, new in edits:
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new, 1)
    return text


def judged(text: str, **named: Any) -> Judgement:
    return judge_template(parse_template(text.encode(), "template"), **named)


@pytest.mark.parametrize("path", HEALTHY, ids=lambda path: path.stem)
def test_a_healthy_template_gives_no_finding(path: Path) -> None:
    told = judged(path.read_text(), client_timeout_s=600.0, region="eu-central-1")
    assert [(each.rule, each.evidence) for each in told.findings] == []


@pytest.mark.parametrize(("rule", "name", "edits"), BROKEN, ids=[f"{each[0]}-{n}" for n, each in enumerate(BROKEN)])
def test_a_rule_is_triggered_alone(rule: str, name: str, edits: Edits) -> None:
    told = judged(text_of(name, edits))
    assert {each.rule for each in told.findings} == {rule}
    for each in told.findings:
        assert each.line is not None
        assert each.evidence
        assert each.fix


@pytest.mark.parametrize(
    ("edits", "hiding", "hidden"),
    [
        (((WRAPPER, ""), (STREAMS, "")), "exec-wrapper-missing", "invoke-mode-url-streams"),
        (
            ((WRAPPER, ""), ("        InvokeMode: RESPONSE_STREAM\n", "")),
            "exec-wrapper-missing",
            "invoke-mode-adapter-streams",
        ),
    ],
)
def test_one_error_hides_no_other(edits: Edits, hiding: str, hidden: str) -> None:
    assert {each.rule for each in judged(text_of(ZIP, edits)).findings} == {hiding, hidden}


@pytest.mark.parametrize(
    "settings",
    [
        ("PORT: 9000",),
        ("AWS_LWA_PORT: 9000",),
        ("AWS_LWA_PORT: 9000", "PORT: 9000", "FASTMCP_PORT: 9000"),
        ("AWS_LWA_PORT: 9000", "PORT: 3000", "FASTMCP_PORT: 9000"),
        ("AWS_LWA_PORT: 9000", "PORT: !Ref Port"),
        ("PORT: 9000", "READINESS_CHECK_PORT: 9000"),
        ("READINESS_CHECK_PATH: /health", "READINESS_CHECK_PROTOCOL: http"),
        ("HOST: 0.0.0.0", "AWS_LWA_HOST: localhost"),
        ('HOST: "[::1]"',),
        ("HOST: mcp.example.com", "AWS_LWA_HOST: 127.0.0.1"),
    ],
    ids=" ".join,
)
def test_settings_of_the_adapter_that_agree_or_stand_alone_are_not_told(settings: tuple[str, ...]) -> None:
    text = text_of(ZIP, (('          AWS_LWA_PORT: "8000"\n          PORT: "8000"\n', ""),))
    lines = "".join(f"          {each}\n" for each in settings)
    assert [each.evidence for each in judged(text.replace(WRAPPER, WRAPPER + lines)).findings] == []


def test_a_port_that_differs_is_told_with_the_variable_that_the_adapter_takes() -> None:
    (found,) = judged(text_of(ZIP, (('          PORT: "8000"\n', '          PORT: "3000"\n'),))).findings
    assert found.severity is Severity.WARNING
    assert found.evidence == "the adapter waits on port 8000 by AWS_LWA_PORT, PORT is 3000"
    assert found.fix == 'Environment: { Variables: { AWS_LWA_PORT: "3000" } }'


def test_a_readiness_check_by_tcp_asks_for_no_status() -> None:
    no_status = ("100-499", "200-299")
    by_tcp = ("200-299", "200-299\n          AWS_LWA_READINESS_CHECK_PROTOCOL: TCP")
    assert judged(text_of(IMAGE, (no_status,))).findings
    assert judged(text_of(IMAGE, (no_status, by_tcp))).findings == ()


def test_a_word_is_shown_as_it_is_written() -> None:
    edits = (
        (STREAMS, STREAMS.replace("response_stream", "Response_Stream")),
        ("        InvokeMode: RESPONSE_STREAM\n", ""),
    )
    (found,) = judged(text_of(ZIP, edits)).findings
    assert found.evidence.startswith("AWS_LWA_INVOKE_MODE is Response_Stream, InvokeMode of the Function URL is ")


def test_a_client_that_waits_less_than_the_function_takes_is_told() -> None:
    told = judged(text_of(ZIP), client_timeout_s=30.0)
    assert [each.rule for each in told.findings] == ["timeout-beyond-client"]


def test_a_layer_of_another_region_is_told_where_the_region_is_known() -> None:
    text = text_of(ZIP, (("${AWS::Region}", "us-east-1"),))
    assert [each.rule for each in judged(text, region="eu-central-1").findings] == ["adapter-layer-nowhere"]
    assert judged(text, region="us-east-1").findings == ()
    assert judged(text).findings == ()


def test_every_rule_has_a_template_that_triggers_it() -> None:
    by_option = {"timeout-beyond-client"}
    assert {rule for rule, _, _ in BROKEN} | by_option == {each.id for each in RULES}


def test_every_diagnosis_of_a_rule_is_one_of_a_detector() -> None:
    assert {each.diagnosis for each in RULES if each.diagnosis} <= {each.id for each in DETECTORS}
    assert len({each.id for each in RULES}) == len(RULES)


def test_a_fix_speaks_the_words_of_the_template() -> None:
    sam = judged(text_of(ZIP, ((STREAMS, ""),))).findings[0]
    assert "FunctionUrlConfig" in sam.fix
    cdk = text_of("cdk_function_url.json", (('"AWS_LWA_INVOKE_MODE": "response_stream",', ""),))
    assert "fn.addFunctionUrl" in judged(cdk).findings[0].fix
    assert parse_template(cdk.encode(), "t").dialect is Dialect.CDK
    assert parse_template(text_of(URL).encode(), "t").dialect is Dialect.CLOUDFORMATION


def test_a_finding_names_the_line_of_its_property_also_where_all_functions_inherit_it() -> None:
    text = text_of(MANGUM, (("Timeout: 29", "Timeout: 60"),))
    (found,) = judged(text).findings
    assert text.splitlines()[(found.line or 0) - 1].strip().startswith("Function: {Timeout: 60")


def test_a_finding_that_depends_on_a_condition_says_on_which() -> None:
    text = text_of("sam_conditions.yaml", (("!If [Streams, RESPONSE_STREAM, BUFFERED]", "BUFFERED"), (
        "        - !If [InEurope, !Ref Adapter, !Ref Adapter]",
        "        - !Sub arn:aws:lambda:${AWS::Region}:753240598075:layer:LambdaAdapterLayerX86:27",
    )))  # fmt: skip
    (found,) = judged(text).findings
    assert found.rule == "invoke-mode-adapter-streams"
    assert "Stage is prod" in found.under


def test_a_grant_to_a_function_that_is_not_told_silences_the_rule_about_grants() -> None:
    text = text_of(URL, (("FunctionName: !Ref Live, Action: \"lambda:InvokeFunction\"", "FunctionName: !ImportValue x, Action: \"lambda:InvokeFunction\""),))  # fmt: skip
    told = judged(text)
    assert told.findings == ()
    assert any("who may call it" in each for each in told.untold)


def test_what_stands_in_other_templates_or_is_made_by_macros_is_not_told() -> None:
    elsewhere = """
  Fn::ForEach::Servers: [Name, [McpA, McpB], {"${Name}": {Type: AWS::Serverless::Function}}]
  Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://templates/more.yaml}}
  Orders: {Type: AWS::Serverless::Application, Properties: {Location: orders.yaml}}
  More: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: https://templates.example.com/more.yaml}}
  Shared: {Type: "Acme::Mcp::Server::MODULE"}"""
    told = judged(text_of(ZIP, (("Resources:", f"Resources:{elsewhere}"),)))
    assert told.findings == ()
    assert [each for each in told.untold if "holds" in each] == [
        "Fn::ForEach::Servers: what it holds once the template is expanded",
        "Fn::Transform: what it holds once the template is expanded",
        "Orders: what its own template holds",
        "More: what its own template holds",
        "Shared: what it holds once the template is expanded",
    ]


def test_only_named_functions_are_judged_as_servers_where_some_are_named() -> None:
    told = judged(text_of(ZIP), chosen=["Cleaner"])
    assert told.servers == ("Cleaner",)
    assert {each.rule for each in told.findings} == {"timeout-default", "memory-small", "concurrency-one"}


def test_the_same_template_as_json_gives_the_same_findings() -> None:
    template = parse_template(text_of(ZIP, ((STREAMS, ""), ("LayerArm64", "LayerX86"))).encode(), "t")
    as_json = json.dumps(template.data, indent="\t")
    found = {(each.rule, each.at) for each in judge_template(template).findings}
    assert found == {(each.rule, each.at) for each in judged(as_json).findings}
    assert len(found) == 2


def test_errors_come_before_warnings() -> None:
    text = text_of(ZIP, ((STREAMS, ""), ("ExposeHeaders: [mcp-session-id,", "ExposeHeaders: [")))
    assert [each.severity for each in judged(text).findings] == [Severity.ERROR, Severity.WARNING]
