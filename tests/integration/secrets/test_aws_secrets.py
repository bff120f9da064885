"""Secrets that AWS keeps, as moto plays it, over a real socket."""

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.client import BaseClient

from prober.function_logs import cloudwatch_logs
from prober.metrics import cloudwatch
from prober.secrets.aws import SecretStores
from prober.secrets.references import SecretError
from prober.secrets.vault import Vault
from prober.wire.auth.sigv4 import CredentialChain

REGION = "eu-central-1"
NOWHERE = "http://127.0.0.1:9"
"""The port of the discard service, where nothing listens."""


@pytest.fixture(autouse=True)
def aws(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that runs with credentials, and whose AWS is moto."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture
def vault() -> Iterator[Vault]:
    with ThreadPoolExecutor(4) as threads:
        yield Vault(threads)


def stored(text: str, region: str = REGION) -> str:
    """The reference to a new secret that holds `text`."""
    client = boto3.session.Session().client("secretsmanager", region_name=region)
    name = f"mcp/{abs(hash(text))}"
    return f"aws-sm:{client.create_secret(Name=name, SecretString=text)['ARN']}"


async def test_a_whole_secret_and_keys_of_its_json_are_read_in_the_region_of_the_arn(vault: Vault) -> None:
    assert await vault.secret(stored("s3cret-token", "us-east-1")) == "s3cret-token"
    pair = stored(json.dumps({"id": "prober", "secret": "s3cret-pair"}))
    assert await vault.secret(f"{pair}#secret") == "s3cret-pair"
    assert await vault.secret(f"{pair}#id") == "prober"


async def test_a_parameter_is_read_decrypted(vault: Vault) -> None:
    client: Any = boto3.session.Session().client("ssm")
    client.put_parameter(Name="/mcp/orders/token", Value="s3cret-parameter", Type="SecureString")
    assert await vault.secret("aws-ssm:/mcp/orders/token") == "s3cret-parameter"


async def test_what_is_not_there_is_named_with_the_way_out(vault: Vault) -> None:
    arn = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:mcp/gone-AbCdEf"
    for reference in (f"aws-sm:{arn}#key", "aws-ssm:/mcp/gone"):
        with pytest.raises(SecretError, match="is not there") as refusal:
            await vault.secret(reference)
        assert refusal.value.reason == "secret"
        assert not refusal.value.passing


async def test_a_process_without_credentials_says_so(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SecretError, match="no AWS credentials are to be had: set AWS_ACCESS_KEY_ID") as refusal:
        await vault.secret("aws-ssm:/mcp/orders/token")
    assert refusal.value.reason == "aws-credentials"


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
async def test_either_variable_gives_the_region(name: str, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    boto3.session.Session().client("ssm").put_parameter(
        Name="/mcp/there", Value="s3cret", Type="String", Overwrite=True
    )
    for each in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(each)
    monkeypatch.setenv(name, REGION)
    assert await vault.secret("aws-ssm:/mcp/there") == "s3cret"
    for opened in (cloudwatch.open_client(None), cloudwatch_logs.open_client(None)):
        assert cast("BaseClient", opened).meta.region_name == REGION
    assert cast("BaseClient", cloudwatch.open_client("us-east-1")).meta.region_name == "us-east-1"


async def test_the_variable_that_lambda_sets_stands_over_the_one_for_a_default(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert cast("BaseClient", cloudwatch.open_client(None)).meta.region_name == "us-east-1"


async def test_a_profile_that_is_not_there_is_named(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nope")
    with pytest.raises(SecretError, match=r"no AWS credentials are to be had.*profile \(nope\)") as refusal:
        await vault.secret("aws-ssm:/mcp/orders/token")
    assert refusal.value.reason == "aws-credentials"
    with pytest.raises(SecretError, match=r"profile \(nope\)"):
        CredentialChain().keys()


async def test_a_process_without_a_region_says_so(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SecretError, match="set AWS_REGION"):
        await vault.secret("aws-ssm:/mcp/orders/token")


async def test_an_aws_that_is_away_is_told_from_one_that_refuses(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    with pytest.raises(SecretError, match="AWS is not to be reached") as refusal:
        await vault.secret("aws-ssm:/mcp/orders/token")
    assert refusal.value.passing


async def test_a_log_at_debug_holds_no_secret(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    reference = stored("s3cret-in-the-log")
    caplog.clear()
    SecretStores().fetch(reference)
    assert await vault.secret(reference) == "s3cret-in-the-log"
    assert "s3cret" not in caplog.text
    assert not [each for each in caplog.records if each.name.startswith(("boto", "urllib3"))]


class RefusingSts(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


async def test_a_role_that_the_prober_may_not_assume_is_not_taken_for_a_refusal_of_the_secret(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reference = stored("s3cret-of-a-role")
    identity = tmp_path / "identity"
    identity.write_text("an identity token")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/prober")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(identity))
    with ThreadingHTTPServer(("127.0.0.1", 0), RefusingSts) as sts:
        threading.Thread(target=sts.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", f"http://127.0.0.1:{sts.server_port}")
        with pytest.raises(SecretError, match=r"give its task.*AssumeRoleWithWebIdentity: AccessDenied") as refusal:
            await vault.secret(reference)
        sts.shutdown()
    assert refusal.value.reason == "aws-credentials"
