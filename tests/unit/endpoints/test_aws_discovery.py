"""What becomes of answers that are late, refused or unusual, with clients that only pretend."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, SSOTokenLoadError
from botocore.parsers import ResponseParserError

from checks.templates.model import Grant
from prober.endpoints import aws_discovery
from prober.endpoints.aws_asking import TRIES_TO_REACH, Asker, CannotDiscover, give_up, smallest_policy
from prober.endpoints.aws_discovery import ACTIONS, Discovery, Wanted, discover
from prober.endpoints.aws_reading import grants_of, name_in, url_of
from prober.endpoints.aws_regions import discover_all

REGION = "eu-central-1"
FUNCTION = {"FunctionName": "mcp", "FunctionArn": "arn:aws:lambda:eu-central-1:1:function:mcp", "Runtime": "python3.12"}

Item = dict[str, Any] | Exception
Answers = Mapping[tuple[str, str], Sequence[Item] | Exception]


class Pages:
    def __init__(self, found: Sequence[Item]) -> None:
        self._found = found

    def paginate(self, **asked: Any) -> "Pages":
        return self

    def search(self, key: str) -> Iterator[dict[str, Any]]:
        for each in self._found:
            if isinstance(each, Exception):
                raise each
            yield each


class Pretended:
    """Clients that answer from a table, and with nothing to all else."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._service = ""
        self.asked: list[str] = []

    def client(self, service: str) -> Any:
        made = Pretended(self._answers)
        made._service, made.asked = service, self.asked
        return made

    def get_paginator(self, operation: str) -> Pages:
        self.asked.append(f"{self._service}.{operation}")
        answer = self._answers.get((self._service, operation), [])
        if isinstance(answer, Exception):
            raise answer
        return Pages(answer)

    def __getattr__(self, operation: str) -> Any:
        def ask(**_: Any) -> Item:
            self.asked.append(f"{self._service}.{operation}")
            answer = self._answers.get((self._service, operation), [{}])
            if isinstance(answer, Exception):
                raise answer
            return answer[0]

        return ask


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "secret detail"}}, "ListFunctions")


def test_the_policy_names_every_action_that_is_asked_for() -> None:
    source = Path(aws_discovery.__file__).read_text()
    written = re.findall(r'"((?:apigateway|cloudfront|elasticloadbalancing|lambda|tag):[A-Z][A-Za-z]+)"', source)
    assert {each for each in written if written.count(each) > 1} == set(ACTIONS) == set(written)
    for region, start in {
        "eu-north-1": "arn:aws:",
        "cn-north-1": "arn:aws-cn:",
        "us-gov-west-1": "arn:aws-us-gov:",
    }.items():
        assert json.loads(smallest_policy(ACTIONS, region))["Statement"][1]["Resource"][0].startswith(start)


@pytest.mark.parametrize(
    ("error", "why", "action"),
    [
        (refusal("AccessDeniedException"), "may not be asked", "lambda:ListFunctions"),
        (refusal("ThrottlingException"), "throttled", None),
        (refusal("ServiceException"), "AWS says ServiceException", None),
        (EndpointConnectionError(endpoint_url="https://x"), "not to be reached", None),
    ],
)
def test_a_call_that_fails_is_told_and_nothing_else_is_lost(error: Exception, why: str, action: str | None) -> None:
    found = discover(Pretended({("lambda", "list_functions"): error}), REGION, Wanted())
    (unseen,) = found.unseen
    assert unseen.call == "lambda:ListFunctions"
    assert why in unseen.why
    assert unseen.action == action
    assert "secret detail" not in unseen.why


@pytest.mark.parametrize("error", [refusal("ExpiredToken"), NoCredentialsError(), SSOTokenLoadError(error_msg="x")])
def test_without_credentials_nothing_is_asked_further(error: Exception) -> None:
    with pytest.raises(CannotDiscover):
        Asker(Pretended({("lambda", "list_functions"): error})).all_of("lambda", "list_functions", "x", "y")


def test_one_service_that_refuses_the_caller_costs_none_of_the_others() -> None:
    answers: Answers = {
        ("lambda", "list_functions"): [{**FUNCTION, "Timeout": 20, "MemorySize": 512}],
        ("lambda", "list_function_url_configs"): [url("2024-01-01T00:00:00Z")],
        ("elbv2", "describe_target_groups"): refusal("InvalidClientTokenId"),
    }
    found = discover(Pretended(answers), REGION, Wanted())
    assert [each.url for each in found.servers] == ["https://u.lambda-url.eu-central-1.on.aws/mcp"]
    assert [each.call for each in found.unseen] == ["elasticloadbalancing:DescribeTargetGroups"]


def test_what_was_listed_before_a_page_failed_is_kept() -> None:
    answers: Answers = {
        ("lambda", "list_functions"): [{**FUNCTION, "Timeout": 20, "MemorySize": 512}, refusal("ServiceException")],
        ("lambda", "list_function_url_configs"): [url("2024-01-01T00:00:00Z")],
    }
    found = discover(Pretended(answers), REGION, Wanted())
    assert [each.function for each in found.servers] == ["mcp"]
    assert [each.call for each in found.unseen] == ["lambda:ListFunctions"]


def test_a_service_that_is_not_there_is_asked_once() -> None:
    away = EndpointConnectionError(endpoint_url="https://x")
    clients = Pretended({("lambda", "list_functions"): away, ("lambda", "get_function_concurrency"): away})
    asker = Asker(clients)
    assert asker.all_of("lambda", "list_functions", "Functions[]", "lambda:ListFunctions") == []
    assert asker.one("lambda", "get_function_concurrency", "lambda:GetFunctionConcurrency") is None
    assert clients.asked == ["lambda.list_functions"]
    assert [each.call for each in asker.unseen] == ["lambda:ListFunctions", "lambda:GetFunctionConcurrency"]


def test_what_is_no_answer_of_aws_is_told_as_such() -> None:
    answers: Answers = {("lambda", "list_functions"): ResponseParserError("<html>secret detail")}
    (unseen,) = discover(Pretended(answers), REGION, Wanted()).unseen
    assert unseen.why == "what came is no answer of AWS (ResponseParserError)"


def test_gateways_are_asked_for_where_functions_stand_behind_them_or_may_not_be_listed() -> None:
    def asked(functions: Sequence[Item] | Exception) -> bool:
        clients = Pretended({("lambda", "list_functions"): functions})
        discover(clients, REGION, Wanted())
        return "apigateway.get_rest_apis" in clients.asked

    assert not asked([])
    assert not asked(EndpointConnectionError(endpoint_url="https://x"))
    assert asked([FUNCTION])
    assert asked(refusal("AccessDenied")), "so that all missing permissions are named at once"


def test_calls_are_given_up_where_nothing_answers_and_not_where_they_are_throttled() -> None:
    lost = EndpointConnectionError(endpoint_url="https://x")
    give_up(attempts=TRIES_TO_REACH - 1, caught_exception=lost)
    give_up(attempts=TRIES_TO_REACH, caught_exception=None)
    with pytest.raises(EndpointConnectionError):
        give_up(attempts=TRIES_TO_REACH, caught_exception=lost, operation="ListFunctions")


def looked_at(answers: Mapping[str, Answers], told: list[list[str]] | None = None) -> list[Discovery]:
    said: list[list[str]] = [] if told is None else told
    return discover_all(
        list(answers), Wanted(), lambda region: Pretended(answers[region]), lambda left: said.append(list(left))
    )


def test_a_region_that_cannot_be_looked_at_costs_none_of_the_others() -> None:
    fine: Answers = {("lambda-web", "list_web_functions"): [{"functionName": "orders-mcp"}]}
    closed: Answers = {("lambda", "list_functions"): refusal("UnrecognizedClientException")}
    told: list[list[str]] = []
    found = looked_at({"me-south-1": closed, "eu-central-1": fine, "eu-west-1": fine}, told)
    assert [each.region for each in found] == ["me-south-1", "eu-central-1", "eu-west-1"]
    assert [each.failed is None for each in found] == [False, True, True]
    assert "a Region does that the account has not enabled" in (found[0].failed or "")
    assert told[0] == ["me-south-1", "eu-central-1", "eu-west-1"]
    assert [len(each) for each in told] == [3, 2, 1]


def test_where_no_region_can_be_looked_at_the_reason_is_said_once() -> None:
    expired: Answers = {("lambda", "list_functions"): refusal("ExpiredToken")}
    with pytest.raises(CannotDiscover) as raised:
        looked_at({"eu-central-1": expired, "eu-west-1": expired})
    assert str(raised.value).count("ExpiredToken") == 1


def test_a_bug_in_one_region_is_one_of_the_command() -> None:
    with pytest.raises(ZeroDivisionError):
        looked_at({"eu-central-1": {}, "eu-west-1": {("lambda", "list_functions"): ZeroDivisionError()}})


def test_web_functions_are_found_where_the_region_has_them_and_not_missed_where_it_has_not() -> None:
    answers: Answers = {
        ("lambda-web", "list_web_functions"): [{"functionName": "orders-mcp"}, {"functionName": "shop"}],
        ("lambda-web", "list_web_function_endpoints"): [
            {"domainName": "x.lambda-web.eu-central-1.on.aws", "authType": "IamAuth"}
        ],
    }
    (server,) = discover(Pretended(answers), REGION, Wanted()).servers
    assert (server.url, server.signed) == ("https://x.lambda-web.eu-central-1.on.aws/mcp", True)
    away: Answers = {("lambda-web", "list_web_functions"): EndpointConnectionError(endpoint_url="https://x")}
    assert discover(Pretended(away), REGION, Wanted()).unseen == ()


def url(made: str) -> dict[str, Any]:
    return {
        "FunctionArn": FUNCTION["FunctionArn"],
        "FunctionUrl": "https://u.lambda-url.eu-central-1.on.aws/",
        "AuthType": "NONE",
        "CreationTime": made,
    }


@pytest.mark.parametrize(("made", "findings"), [("2024-01-01T00:00:00Z", 0), ("2026-01-01T00:00:00.000Z", 1)])
def test_an_older_function_url_needs_one_permission_and_a_newer_one_both(made: str, findings: int) -> None:
    policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl"}]}
    answers: Answers = {
        ("lambda", "list_functions"): [{**FUNCTION, "Timeout": 20, "MemorySize": 512}],
        ("lambda", "list_function_url_configs"): [url(made)],
        ("lambda", "get_policy"): [{"Policy": json.dumps(policy)}],
    }
    found = discover(Pretended(answers), REGION, Wanted())
    assert [each.rule for each in found.findings] == ["url-permission-missing"] * findings
    assert [each.url for each in found.servers] == ["https://u.lambda-url.eu-central-1.on.aws/mcp"]


def test_a_url_without_a_time_of_its_making_is_taken_for_an_old_one() -> None:
    assert not url_of({**url("nonsense")}).needs_both
    assert url_of({**url(datetime(2026, 1, 1, tzinfo=UTC).isoformat())}).needs_both


@pytest.mark.parametrize(
    "policy", ["", "[]", '{"Statement": [{"Effect": "Deny"}]}', '{"Statement": ["x"]}', "[" * 100_000]
)
def test_a_policy_that_is_not_understood_is_not_judged(policy: str) -> None:
    assert grants_of("f", policy) is None


def test_principals_and_actions_of_a_policy_are_read_in_every_form() -> None:
    policy = {
        "Statement": [
            {"Sid": "a", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["lambda:InvokeFunction", "lambda:*"]},
            {
                "Effect": "Allow",
                "Principal": {"Service": "cloudfront.amazonaws.com"},
                "Action": "lambda:InvokeFunction",
            },
        ]
    }
    grants: tuple[Grant, ...] = grants_of("f", json.dumps(policy)) or ()
    assert [(each.principal, each.action) for each in grants] == [
        ("*", "lambda:InvokeFunction"),
        ("*", None),
        ("cloudfront.amazonaws.com", "lambda:InvokeFunction"),
    ]


def test_a_function_is_known_by_its_arn_with_and_without_an_alias() -> None:
    functions = {FUNCTION["FunctionArn"]: "mcp"}
    base = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/"
    assert name_in(f"{base}{FUNCTION['FunctionArn']}:live/invocations", functions) == "mcp"
    assert name_in(FUNCTION["FunctionArn"], functions) == "mcp"
    assert name_in("https://example.com/functions/", functions) is None
    assert name_in("", functions) is None
