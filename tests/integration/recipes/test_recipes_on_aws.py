"""What AWS makes of the templates of the recipes, as moto plays it; what moto cannot make is made by hand beside it.

The events are those of AWS's documentation, and moto's matching is its own.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import yaml
from moto import mock_aws
from moto.events.models import EventPattern

from dashboard.access.mode import AccessConfig
from dashboard.access.permissions import Permission
from dashboard.app import build
from dashboard.config import Config
from prober.storage import tokens
from prober.storage.database import open_engine
from tests.integration.dashboard.conftest import SetClock

RECIPES = Path(__file__).parents[3] / "docs" / "recipes"
REGION = "eu-central-1"
STACK = f"arn:aws:cloudformation:{REGION}:111122223333:stack/orders/"


def changed(status: str, stack: str = f"{STACK}6d7e0e10", kind: str = "Stack") -> dict[str, Any]:
    """An event of CloudFormation.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/eventbridge-events-reference.html
    """
    details = {"status": status, "status-reason": ""}
    return event(
        "aws.cloudformation", f"CloudFormation {kind} Status Change", {"stack-id": stack, "status-details": details}
    )


def shifted(state: str, application: str = "orders") -> dict[str, Any]:
    """An event of CodeDeploy.

    https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-cloudwatch-events.html
    """
    detail = {"region": REGION, "deploymentId": "d-123456789", "state": state, "application": application}
    return event("aws.codedeploy", "CodeDeploy Deployment State-change Notification", detail)


def event(source: str, kind: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "source": source,
        "account": "111122223333",
        "time": "2026-11-22T01:00:00Z",
        "region": REGION,
        "resources": [],
        "detail-type": kind,
        "detail": detail,
    }


@dataclass(frozen=True)
class Rule:
    """A rule as it was made, with its one target."""

    pattern: str
    target: dict[str, Any]

    def takes(self, each: dict[str, Any]) -> bool:
        return bool(EventPattern.load(self.pattern).matches_event(each))

    def body(self, each: dict[str, Any]) -> str:
        """What the target is sent: the template with the values of its paths, which stand in quotes there."""
        text: str = self.target["InputTransformer"]["InputTemplate"]
        for name, path in self.target["InputTransformer"]["InputPathsMap"].items():
            value: Any = each
            for part in path.removeprefix("$.").split("."):
                value = value[part]
            text = text.replace(f"<{name}>", value)
        return text


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    """An AWS in which nothing is."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "of-nobody")
        with mock_aws():
            yield


def deployed(name: str, text: str, **parameters: str) -> dict[str, Rule]:
    """Make a stack of a template: its rules by what they are called there."""
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    stacks = boto3.client("cloudformation", REGION)
    stacks.create_stack(StackName=name, TemplateBody=text, Parameters=given, Capabilities=["CAPABILITY_IAM"])
    events, found = boto3.client("events", REGION), {}
    for each in stacks.describe_stack_resources(StackName=name)["StackResources"]:
        if each["ResourceType"] == "AWS::Events::Rule":
            called = each["PhysicalResourceId"]
            (target,) = events.list_targets_by_rule(Rule=called)["Targets"]
            found[each["LogicalResourceId"]] = Rule(events.describe_rule(Name=called)["EventPattern"], target)
    return found


def may(role_arn: str) -> list[tuple[Any, Any]]:
    """What a role may do with what."""
    roles, name = boto3.client("iam"), role_arn.rpartition("/")[2]
    names = roles.list_role_policies(RoleName=name)["PolicyNames"]
    found = [roles.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in names]
    # What CloudFormation has made is handed out as text, by moto.
    documents = [yaml.safe_load(each) if isinstance(each, str) else each for each in found]
    return [(each["Action"], each["Resource"]) for document in documents for each in document["Statement"]]


@pytest.fixture(scope="module")
def smoke(aws: None) -> dict[str, Rule]:
    """The rules of eventbridge.yaml, over a project such as codepipeline.yaml makes."""
    return deployed(
        "smoke",
        (RECIPES / "eventbridge.yaml").read_text(),
        ProjectArn=f"arn:aws:codebuild:{REGION}:123456789012:project/mcp-smoke",
        StackArnPrefix=STACK,
        CodeDeployApplication="orders",
    )


def test_what_was_deployed_starts_the_smoke_check(smoke: dict[str, Rule]) -> None:
    started = [changed("CREATE_COMPLETE"), changed("UPDATE_COMPLETE"), changed("UPDATE_ROLLBACK_COMPLETE")]
    assert all(smoke["OnStack"].takes(each) and not smoke["OnCodeDeploy"].takes(each) for each in started)
    assert smoke["OnCodeDeploy"].takes(shifted("SUCCESS"))
    for rule in smoke.values():
        arn = rule.target["Arn"]
        assert arn.endswith(":project/mcp-smoke")
        assert may(rule.target["RoleArn"]) == [("codebuild:StartBuild", arn)]


@pytest.mark.parametrize(
    "other",
    [
        changed("UPDATE_IN_PROGRESS"),
        changed("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        changed("DELETE_COMPLETE"),
        changed("UPDATE_COMPLETE", stack=STACK.replace("/orders/", "/orders-of-others/")),
        changed("UPDATE_COMPLETE", kind="Resource"),
        shifted("START"),
        shifted("FAILURE"),
        shifted("SUCCESS", application="billing"),
    ],
    ids=lambda each: (
        f"{each['detail-type']} {each['detail'].get('state') or each['detail']['status-details']['status']}"
    ),
)
def test_nothing_else_starts_it(smoke: dict[str, Rule], other: dict[str, Any]) -> None:
    assert not any(rule.takes(other) for rule in smoke.values())


@pytest.fixture(scope="module")
def marking(aws: None) -> dict[str, Rule]:
    """The rules of eventbridge-deploy-mark.yaml; its destination is made by hand of what the template says."""
    text = (RECIPES / "eventbridge-deploy-mark.yaml").read_text()
    events = boto3.client("events", REGION)
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "Authorization", "ApiKeyValue": "Bearer x"}}
    connection = events.create_connection(Name="prober", AuthorizationType="API_KEY", AuthParameters=key)
    destination = events.create_api_destination(
        Name="prober",
        ConnectionArn=connection["ConnectionArn"],
        InvocationEndpoint="https://prober.example.com/api/deploys",
        HttpMethod="POST",
        InvocationRateLimitPerSecond=10,
    )["ApiDestinationArn"]
    for name in ("Connection", "Destination", "UndeliveredPolicy"):
        text = re.sub(rf"^  {name}:\n(    .*\n)+", "", text, flags=re.MULTILINE)
    text = text.replace("!GetAtt Destination.Arn", destination)
    names = "orders,search"
    return deployed(
        "mark", text, Dashboard="https://prober.example.com", TokenSecret="t", Endpoints=names, StackArnPrefix=STACK
    )


async def test_a_deployment_keeps_the_dashboard_quiet_until_it_has_settled(
    marking: dict[str, Rule], database_url: str
) -> None:
    began, ended = changed("UPDATE_IN_PROGRESS"), changed("UPDATE_COMPLETE")
    assert (marking["OnBegin"].takes(began), marking["OnEnd"].takes(began)) == (True, False)
    assert (marking["OnBegin"].takes(ended), marking["OnEnd"].takes(ended)) == (False, True)
    clock, db = SetClock(), open_engine(database_url)
    async with db.begin() as connection:
        ends = clock.now() + timedelta(days=1)
        made = {
            scope: (await tokens.add(connection, scope, [scope], now=clock.now(), expires_at=ends, by="command line"))[
                1
            ]
            for scope in Permission
        }
    await db.dispose()
    app = build(Config(database_url=database_url, access=AccessConfig()), clock)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        headers = {
            scope: {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            for scope, token in made.items()
        }
        for name in ("orders", "search"):
            body = json.dumps({"name": name, "url": f"https://{name}.lambda-url.eu-central-1.on.aws/mcp"})
            assert (
                await client.post("/api/endpoints", content=body, headers=headers[Permission.MANAGE])
            ).status_code == 201
        lasts = []
        for rule, each in ((marking["OnBegin"], began), (marking["OnEnd"], ended)):
            answer = await client.post("/api/deploys", content=rule.body(each), headers=headers[Permission.OPERATE])
            assert answer.status_code == 201, answer.text
            silence = (await client.get("/api/maintenance", headers=headers[Permission.READ])).json()["single"]
            (mark,) = silence
            assert (mark["kind"], mark["endpoints"]) == ("deploy", ["orders", "search"])
            lasts.append(datetime.fromisoformat(mark["ends_at"]) - datetime.fromisoformat(mark["starts_at"]))
            assert mark["reason"] == f"CloudFormation: {each['detail']['status-details']['status']}"
    await app.state.services.db.dispose()
    assert lasts == [timedelta(minutes=30), timedelta(minutes=2)]


def test_the_destination_is_the_operation_that_marks_and_may_be_called(marking: dict[str, Rule]) -> None:
    text = (RECIPES / "eventbridge-deploy-mark.yaml").read_text()
    assert "InvocationEndpoint: !Sub ${Dashboard}/api/deploys\n" in text
    assert "ApiKeyName: Authorization\n" in text
    assert '"Bearer {{resolve:secretsmanager:${TokenSecret}:SecretString}}"' in text
    for rule in marking.values():
        assert may(rule.target["RoleArn"]) == [("events:InvokeApiDestination", rule.target["Arn"])]
        assert (
            boto3.client("sqs", REGION).list_queues()["QueueUrls"][0].rpartition("/")[2]
            in rule.target["DeadLetterConfig"]["Arn"]
        )
