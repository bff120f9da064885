"""Addresses of the AWS console, where the owner of a function looks further."""

import string
from datetime import UTC, datetime, timedelta
from typing import Final

_PLAIN: Final = frozenset(string.ascii_letters + string.digits + "-_.")
_BEFORE: Final = timedelta(minutes=1)
"""The clocks of both sides need not agree."""
_AFTER: Final = timedelta(minutes=16)
"""No function runs longer than a quarter of an hour."""
_CONSOLES: Final = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
"""By the beginning of a region's name: partitions whose console has another host (AWS general reference)."""


def logs_insights(log_group: str, region: str, request_id: str, asked_at: datetime) -> str:
    """The query of CloudWatch Logs Insights that finds every line of one invocation, ready to run.

    The console keeps the query behind `#`, in a notation of its own: `*xx` for a character, `~` between values. It is
    nowhere documented; what the console itself writes into the address bar looks like this.
    """
    query = f"fields @timestamp, @message\n| filter @requestId = '{request_id}' or @message like '{request_id}'\n"
    query += "| sort @timestamp asc\n| limit 200"
    values = {
        "end": _instant(asked_at + _AFTER),
        "start": _instant(asked_at - _BEFORE),
        "timeType": "ABSOLUTE",
        "tz": "UTC",
        "editorString": query,
    }
    written = "~".join(f"{name}~'{_escaped(value)}" for name, value in values.items())
    detail = f"~({written}~source~(~'{_escaped(log_group)}))"
    return f"https://{_host(region)}/cloudwatch/home?region={region}#logsV2:logs-insights$3FqueryDetail$3D{detail}"


def _host(region: str) -> str:
    other = next((host for prefix, host in _CONSOLES.items() if region.startswith(prefix)), None)
    return other or f"{region}.console.aws.amazon.com"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _escaped(text: str) -> str:
    return "".join(each if each in _PLAIN else f"*{ord(each):02x}" for each in text)
