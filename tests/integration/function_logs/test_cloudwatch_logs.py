"""The report of an invocation is found in CloudWatch Logs as moto plays it, over a real socket."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from prober.function_logs.cloudwatch_logs import FunctionLogs, Invocation, LogsUnavailable, is_request_id
from prober.function_logs.report_line import InvocationReport

REGION = "eu-central-1"
ID = "8f507cfc-1111-4697-b07a-ac58fc914c95"
OTHER = "11111111-1111-4697-b07a-ac58fc914c95"
NOW = datetime.now(UTC)


@pytest.fixture
def aws(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return aws_url


@pytest.fixture
def logs() -> Iterator[FunctionLogs]:
    with ThreadPoolExecutor(1) as executor:
        yield FunctionLogs(executor)


@pytest.fixture
def group() -> str:
    """A log group for each test: moto keeps all of a process."""
    return f"/aws/lambda/orders-{uuid.uuid4()}"


def write(group: str, *lines: str, at: datetime = NOW, stream: str = "one") -> None:
    client = boto3.client("logs", region_name=REGION)
    client.create_log_group(logGroupName=group)
    client.create_log_stream(logGroupName=group, logStreamName=stream)
    stamp = int(at.timestamp() * 1000)
    events = [{"timestamp": stamp, "message": line} for line in lines]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def report_line(request_id: str, init: str = "") -> str:
    return f"REPORT RequestId: {request_id}\tDuration: 20.00 ms\tBilled Duration: 20 ms\tMemory Size: 128 MB\t{init}"


def invocation(group: str = "/aws/lambda/orders") -> Invocation:
    return Invocation(group, REGION, ID, NOW)


async def test_the_report_of_our_own_request_is_found_among_others(aws: str, logs: FunctionLogs, group: str) -> None:
    write(
        group,
        f"START RequestId: {ID} Version: $LATEST",
        report_line(OTHER, "Init Duration: 9.00 ms\t"),
        report_line(ID, "Init Duration: 812.40 ms\t"),
    )

    assert await logs.report(invocation(group)) == InvocationReport(function_ms=20, init_ms=812.4)


@pytest.mark.parametrize(("stream", "version"), [("2026/11/20/[12]0a1b", "12"), ("2026/11/20/[$LATEST]0a1b", None)])
async def test_the_stream_that_holds_the_report_names_the_published_version(
    aws: str, logs: FunctionLogs, group: str, stream: str, version: str | None
) -> None:
    write(group, report_line(ID), stream=stream)

    assert await logs.report(invocation(group)) == InvocationReport(function_ms=20, function_version=version)


async def test_a_report_that_is_not_there_yet_is_none(aws: str, logs: FunctionLogs, group: str) -> None:
    write(group, f"START RequestId: {ID} Version: $LATEST")

    assert await logs.report(invocation(group)) is None


async def test_what_was_written_before_the_request_is_not_read(aws: str, logs: FunctionLogs, group: str) -> None:
    write(group, report_line(ID), at=NOW - timedelta(minutes=5))

    assert await logs.report(invocation(group)) is None


async def test_a_log_group_that_is_not_there_is_said_with_its_name(aws: str, logs: FunctionLogs) -> None:
    with pytest.raises(LogsUnavailable, match="ResourceNotFoundException about the log group /aws/lambda/gone"):
        await logs.report(invocation("/aws/lambda/gone"))


class Pages:
    """Answers by page, as AWS does: an empty page may come before the one that holds what is sought."""

    def __init__(self, *pages: dict[str, Any]) -> None:
        self.pages = list(pages)
        self.requests: list[dict[str, Any]] = []

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        return self.pages.pop(0)


async def test_empty_pages_are_turned_until_the_last() -> None:
    found = {"events": [{"message": report_line(ID)}]}
    client = Pages({"events": [], "nextToken": "a"}, {"nextToken": "b"}, found)
    with ThreadPoolExecutor(1) as executor:
        report = await FunctionLogs(executor, lambda region: client).report(invocation())

    assert report == InvocationReport(function_ms=20)
    assert [each.get("nextToken") for each in client.requests] == [None, "a", "b"]
    assert {each["filterPattern"] for each in client.requests} == {f'"{ID}"'}


async def test_a_log_without_end_is_left_after_a_few_pages() -> None:
    client = Pages(*({"events": [], "nextToken": str(number)} for number in range(100)))
    with ThreadPoolExecutor(1) as executor:
        assert await FunctionLogs(executor, lambda region: client).report(invocation()) is None
    assert len(client.requests) == 5


async def test_aws_out_of_reach_is_unavailable(monkeypatch: pytest.MonkeyPatch, logs: FunctionLogs) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with pytest.raises(LogsUnavailable, match="cannot be asked"):
        await logs.report(invocation())


@pytest.mark.parametrize("text", ["", '" ?error', f'{ID}" ?"x', ID[:-1], f"{ID}\n", "*"])
def test_what_is_no_request_id_does_not_get_into_a_pattern(text: str) -> None:
    assert is_request_id(ID)
    assert not is_request_id(text)
