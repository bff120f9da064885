"""Discovery in an account that moto plays, over a real socket."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from prober.cli import main
from prober.endpoints.aws_asking import Asker, CannotDiscover, RegionClients, smallest_policy
from prober.endpoints.aws_discovery import Discovery, Server, Wanted, discover
from prober.secrets import aws

REGION = "eu-central-1"
ADAPTER = f"arn:aws:lambda:{REGION}:753240598075:layer:LambdaAdapterLayerX86:27"


@pytest.fixture(autouse=True)
def process(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs with credentials, and whose AWS is moto."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


class UrlLister:
    """moto has no ListFunctionUrlConfigs: it is played by GetFunctionUrlConfig, which moto has."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_paginator(self, operation: str) -> Any:
        return (
            _Pages(self._client) if operation == "list_function_url_configs" else self._client.get_paginator(operation)
        )


class _Pages:
    def __init__(self, client: Any) -> None:
        self._client = client
        self._name = ""

    def paginate(self, **asked: Any) -> "_Pages":
        self._name = asked["FunctionName"]
        return self

    def search(self, key: str) -> list[Any]:
        try:
            return [self._client.get_function_url_config(FunctionName=self._name)]
        except ClientError:
            return []


class MotoClients:
    """Clients of moto. `refused` are operations that AWS denies."""

    def __init__(self, *refused: str) -> None:
        self._clients = RegionClients(REGION)
        self._refused = refused

    def client(self, service: str) -> Any:
        made = self._clients.client(service)
        for operation in self._refused:
            made.meta.events.register(f"before-call.*.{operation}", _deny)
        return UrlLister(made) if service == "lambda" else made


def _deny(model: Any, **_: Any) -> None:
    raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, model.name)


@pytest.fixture(scope="module")
def account(aws_url: str) -> dict[str, str]:
    """An account with servers behind every kind of door; their addresses by name."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=aws_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    lambdas = client("lambda")
    role = client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "")
    arns = {}
    for name, extra in {
        "orders-mcp": {
            "Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap"}},
            "Handler": "run.sh",
        },
        "tagged": {"Tags": {"mcp:probe": "true"}},
        "behind-rest": {},
        "behind-http": {},
        "behind-balancer": {},
        "mcp-hidden": {},
        "thumbnails": {},
    }.items():
        arns[name] = lambdas.create_function(
            FunctionName=name,
            Role=role,
            Code={"ZipFile": archive.getvalue()},
            **{"Runtime": "python3.12", "Handler": "app.handler", "Timeout": 20, "MemorySize": 512, **extra},
        )["FunctionArn"]
    urls = {
        "orders-mcp": lambdas.create_function_url_config(
            FunctionName="orders-mcp", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
        ),
        "tagged": lambdas.create_function_url_config(FunctionName="tagged", AuthType="AWS_IAM"),
    }
    rest = _rest_api(client("apigateway"), arns["behind-rest"])
    http = _http_api(client("apigatewayv2"), arns["behind-http"])
    balancer = _balancer(client("elbv2"), client("ec2"), arns["behind-balancer"])
    edge = _distribution(client("cloudfront"), urls["tagged"]["FunctionUrl"].split("/")[2])
    return {
        "orders-mcp": f"{urls['orders-mcp']['FunctionUrl'].rstrip('/')}/mcp",
        "tagged": f"{urls['tagged']['FunctionUrl'].rstrip('/')}/mcp",
        "rest": rest,
        "http": http,
        "balancer": balancer,
        "edge": edge,
    }


def _rest_api(gateway: Any, arn: str) -> str:
    api = gateway.create_rest_api(name="tools")
    root = gateway.get_resources(restApiId=api["id"])["items"][0]["id"]
    path = gateway.create_resource(restApiId=api["id"], parentId=root, pathPart="mcp")["id"]
    uri = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
    named = {"restApiId": api["id"], "resourceId": path, "httpMethod": "POST"}
    gateway.put_method(**named, authorizationType="NONE")
    gateway.put_integration(**named, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api["id"], stageName="prod")
    return f"https://{api['id']}.execute-api.{REGION}.amazonaws.com/prod/mcp"


def _http_api(gateway: Any, arn: str) -> str:
    api = gateway.create_api(Name="desk", ProtocolType="HTTP")
    made = gateway.create_integration(
        ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
    )
    gateway.create_route(ApiId=api["ApiId"], RouteKey="ANY /mcp", Target=f"integrations/{made['IntegrationId']}")
    gateway.create_stage(ApiId=api["ApiId"], StageName="$default")
    return f"{api['ApiEndpoint']}/mcp"


def _balancer(elb: Any, ec2: Any, arn: str) -> str:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"][
            "SubnetId"
        ]
        for n, zone in enumerate("ab")
    ]
    balancer = elb.create_load_balancer(Name="front", Subnets=subnets)["LoadBalancers"][0]
    group = elb.create_target_group(Name="functions", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": arn}])
    listener = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=8080,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )["Listeners"][0]["ListenerArn"]
    elb.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/mcp"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return f"http://{balancer['DNSName']}:8080/mcp"


def _distribution(cloudfront: Any, host: str) -> str:
    made = cloudfront.create_distribution(
        DistributionConfig={
            "CallerReference": "1",
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "url",
                        "DomainName": host,
                        "OriginAccessControlId": "E1",
                        "CustomOriginConfig": {
                            "HTTPPort": 80,
                            "HTTPSPort": 443,
                            "OriginProtocolPolicy": "https-only",
                            "OriginReadTimeout": 30,
                        },
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "url",
                "ViewerProtocolPolicy": "https-only",
                "AllowedMethods": {"Quantity": 3, "Items": ["GET", "HEAD", "POST"]},
                "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
                "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",
            },
        }
    )
    return f"https://{made['Distribution']['DomainName']}/mcp"


def by_function(found: Discovery) -> dict[str, list[Server]]:
    servers: dict[str, list[Server]] = {}
    for each in found.servers:
        servers.setdefault(each.function, []).append(each)
    return servers


def test_servers_are_found_behind_every_kind_of_door(account: dict[str, str]) -> None:
    found = discover(MotoClients(), REGION, Wanted())
    servers = by_function(found)
    assert {name: [each.url for each in several] for name, several in servers.items()} == {
        "orders-mcp": [account["orders-mcp"]],
        "behind-rest": [account["rest"]],
        "behind-http": [account["http"]],
        "behind-balancer": [account["balancer"]],
    }
    assert servers["orders-mcp"][0].guessed
    assert not servers["behind-rest"][0].guessed
    assert [each.door for each in found.servers] == ["Function URL", "REST API", "HTTP API", "load balancer"]
    assert found.unseen == ()


def test_a_tag_chooses_functions_and_cloudfront_before_a_function_url_is_told(account: dict[str, str]) -> None:
    found = discover(MotoClients(), REGION, Wanted(tags={"mcp:probe": "true"}))
    assert [(each.door, each.url, each.signed) for each in found.servers] == [
        ("CloudFront", account["edge"], False),
        ("Function URL", account["tagged"], True),
    ]
    assert discover(MotoClients(), REGION, Wanted(tags={"mcp:probe": "no"})).servers == ()


def test_a_name_chooses_functions_whatever_they_are_called(account: dict[str, str]) -> None:
    found = discover(MotoClients(), REGION, Wanted(names=("behind-r*",)))
    assert set(by_function(found)) == {"behind-rest"}


def test_the_rules_of_templates_judge_what_is_live(account: dict[str, str]) -> None:
    found = discover(MotoClients(), REGION, Wanted(everything=True))
    rules = {(each.rule, each.subject.id) for each in found.findings}
    assert ("adapter-layer-missing", "orders-mcp") in rules
    assert ("route-methods-missing", "tools POST /mcp") in rules
    assert ("url-permission-missing", "orders-mcp") in rules
    assert not any("thumbnails" in each.subject.id or "hidden" in each.subject.id for each in found.findings)
    fix = next(each.fix for each in found.findings if each.rule == "adapter-layer-missing")
    assert fix.startswith("aws lambda update-function-configuration")


def test_what_may_not_be_asked_is_named_with_its_permission_and_the_rest_is_found(account: dict[str, str]) -> None:
    found = discover(MotoClients("GetRestApis", "GetPolicy", "GetFunctionConcurrency"), REGION, Wanted())
    assert {each.action for each in found.unseen} == {
        "apigateway:GET", "lambda:GetPolicy", "lambda:GetFunctionConcurrency"
    }  # fmt: skip
    assert set(by_function(found)) == {"orders-mcp", "behind-http", "behind-balancer"}
    assert not any(each.rule == "url-permission-missing" for each in found.findings)
    policy = json.loads(smallest_policy([each.action or "" for each in found.unseen], REGION))
    functions, gateway = policy["Statement"]
    assert functions["Action"] == ["lambda:GetFunctionConcurrency", "lambda:GetPolicy"]
    assert gateway["Action"] == ["apigateway:GET"]
    assert gateway["Resource"][0] == f"arn:aws:apigateway:{REGION}::/restapis"


def test_an_account_without_functions_is_empty() -> None:
    class Elsewhere(MotoClients):
        def __init__(self) -> None:
            self._clients = RegionClients("eu-north-1")
            self._refused = ()

    assert discover(Elsewhere(), "eu-north-1", Wanted(everything=True)).servers == ()


def test_a_process_without_credentials_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(CannotDiscover, match="AWS_ACCESS_KEY_ID"):
        Asker(RegionClients(REGION)).all_of("lambda", "list_functions", "Functions[]", "lambda:ListFunctions")


def test_the_command_prints_a_configuration_that_config_check_passes(
    account: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["discover", "--region", REGION, "--name", "behind-*", "--format", "config"]) in (0, 3)
    path = tmp_path / "prober.yaml"
    path.write_text(capsys.readouterr().out)
    assert main(["config", "check", str(path)]) == 0
    assert "3 of 3 endpoints" in capsys.readouterr().out


def test_what_is_found_is_registered_once(
    account: dict[str, str], database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    words = ["discover", "--region", REGION, "--name", "behind-http", "--register"]
    assert main(words) in (0, 3)
    said = capsys.readouterr()
    (first,) = said.out.splitlines()
    assert first.startswith(f"behind-http: is watched from now on, {account['http']}")
    assert "not seen: lambda:ListFunctionUrlConfigs" in said.err
    main(words)
    assert capsys.readouterr().out == f"behind-http: is watched already, {account['http']}\n"
    assert main(["endpoints", "--format", "json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["endpoints"]
    assert (entry["url"], entry["labels"]["function"]) == (account["http"], "behind-http")


def test_the_command_prints_a_table_and_what_it_cannot_see(
    account: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["discover", "--region", REGION, "--name", "behind-http"])
    said = capsys.readouterr().out
    assert account["http"] in said
    assert "What discovery cannot see" in said
    main(["discover", "--region", REGION, "--name", "behind-http", "--format", "json"])
    (region,) = json.loads(capsys.readouterr().out)["regions"]
    assert region["servers"][0]["url"] == account["http"]


def test_a_region_where_nothing_answers_costs_none_of_the_others(
    account: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"

        def session() -> Any:
            made = boto3.session.Session()
            made.events.register(
                "before-sign", lambda request, region_name, **_: _send_to(request, nobody, region_name == "eu-north-1")
            )
            return made

        monkeypatch.setattr(aws, "session", session)
        words = ["discover", "--region", "eu-north-1", "--region", REGION, "--name", "behind-http"]
        assert main(words) == 3
    said = capsys.readouterr().out
    assert account["http"] in said
    assert "eu-north-1: not seen: lambda:ListFunctions: AWS is not to be reached" in said


def _send_to(request: Any, host: str, is_meant: bool) -> None:
    if is_meant:
        request.url = f"{host}{urlsplit(request.url).path}"


def test_an_interrupt_during_an_attempt_to_connect_ends_the_command_within_a_second() -> None:
    with socket.socket() as busy, ExitStack() as waiting:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        for _ in range(3):  # fills the queue, so that the next attempt hangs
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(busy.getsockname())
        port = busy.getsockname()[1]
        ours = _attempts(port)
        env = {**os.environ, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        command = [sys.executable, "-m", "prober.cli", "discover", "--region", REGION]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            deadline = time.monotonic() + 30
            while _attempts(port) == ours:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            began = time.monotonic()
            said = process.communicate(timeout=20)
            took = time.monotonic() - began
    assert (process.returncode, said) == (130, (b"", b""))
    assert took < 1


def _attempts(port: int) -> int:
    """How many sockets are connected to a port, or try to be: the remote addresses of proc(5), /proc/net/tcp."""
    _, *lines = Path("/proc/net/tcp").read_text().splitlines()
    return sum(line.split()[2].endswith(f":{port:04X}") for line in lines)


def test_the_command_wants_a_region(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["discover"]) == 2
    assert "no Region is named" in capsys.readouterr().err
