"""Looks for the report of one invocation in CloudWatch Logs, with the credentials of the process."""

import asyncio
import re
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol

from checks.tool_lists import version_in
from prober.function_logs.report_line import InvocationReport, report_of
from prober.secrets.aws import session

PAGES: Final = 5
"""Pages of one search that are read. A page may be empty although another one follows, which holds what is sought."""

BEFORE_MS: Final = 60_000
"""So much earlier than our request begins what is searched: the clocks of both sides need not agree."""

SPAN_MS: Final = 16 * 60_000
"""And so much later it ends: no function runs longer than a quarter of an hour."""

_REQUEST_ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class LogsUnavailable(Exception):
    """The log cannot be searched; the text names the reason in a few words, without a secret."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is looked for, and where."""

    log_group: str
    region: str | None
    """None: that of the AWS configuration."""
    request_id: str
    asked_at: datetime


class Searches(Protocol):
    """The part of boto3's CloudWatch Logs client that is used."""

    def filter_log_events(self, **request: Any) -> dict[str, Any]: ...


def is_request_id(text: str) -> bool:
    """Whether a server's word can be the id of an invocation. Anything else would be a pattern of the server's own."""
    return _REQUEST_ID.fullmatch(text) is not None


def open_client(region: str | None) -> Searches:
    """A client with the credentials of the process. Takes more than 100 ms of CPU: call it in a thread."""
    from botocore.config import Config

    patience = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
    client: Searches = session().client("logs", region_name=region, config=patience)
    return client


class FunctionLogs:
    """Searches the logs of functions. boto3 blocks, so that it runs in the threads of `executor`."""

    def __init__(self, executor: Executor, open_client: Callable[[str | None], Searches] = open_client) -> None:
        self._executor = executor
        self._open = open_client
        self._clients: dict[str | None, Searches] = {}
        self._making = threading.Lock()

    async def report(self, invocation: Invocation) -> InvocationReport | None:
        """The report of an invocation, or None where it is not there, or not there yet. Raises LogsUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._search, invocation)

    def _search(self, invocation: Invocation) -> InvocationReport | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._read(invocation)
        except ClientError as refused:
            code = str(refused.response.get("Error", {}).get("Code", "unknown"))[:80]
            raise LogsUnavailable(f"AWS says {code} about the log group {invocation.log_group}") from None
        except (BotoCoreError, OSError) as failure:
            raise LogsUnavailable(f"CloudWatch Logs cannot be asked: {type(failure).__name__}") from None

    def _read(self, invocation: Invocation) -> InvocationReport | None:
        begin = int(invocation.asked_at.timestamp() * 1000) - BEFORE_MS
        request: dict[str, Any] = {
            "logGroupName": invocation.log_group,
            # The id alone: a function that logs in JSON writes no line that begins with REPORT.
            "filterPattern": f'"{invocation.request_id}"',
            "startTime": begin,
            "endTime": begin + BEFORE_MS + SPAN_MS,
        }
        client = self._client(invocation.region)
        for _ in range(PAGES):
            page = client.filter_log_events(**request)
            for event in page.get("events", ()):
                if (found := report_of(str(event.get("message", "")), invocation.request_id)) is not None:
                    return replace(found, function_version=version_in(event.get("logStreamName")))
            if not page.get("nextToken"):
                return None
            request["nextToken"] = page["nextToken"]
        return None

    def _client(self, region: str | None) -> Searches:
        with self._making:  # making clients is the part of boto3 that threads must not do at once
            if region not in self._clients:
                self._clients[region] = self._open(region)
            return self._clients[region]
