"""Which secrets may be used, and for whom."""

import pytest

from prober.secrets.allowance import Allowed, AllowList, problem_with_pattern

ORDERS = "https://orders.example.com"
ARN = "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:"


def allowed(reference: str, *origins: str, entries: tuple[Allowed, ...]) -> bool:
    return AllowList(entries).refusal(reference, origins) is None


@pytest.mark.parametrize(
    ("pattern", "reference"),
    [
        ("env:MCP_*", "env:MCP_TOKEN"),
        ("env:TOKEN", "env:TOKEN"),
        ("file:/run/secrets/*", "file:/run/secrets/token"),
        ("file:/run/secrets/*", "file:/run/secrets/mcp/token"),
        ("file:/run/secrets/*", "file:/run/./secrets//token"),
        (f"{ARN}mcp/*", f"{ARN}mcp/orders-AbCdEf#token"),
        (f"{ARN}mcp/orders-AbCdEf", f"{ARN}mcp/orders-AbCdEf#token"),
        (f"{ARN}mcp/orders-AbCdEf#token", f"{ARN}mcp/orders-AbCdEf#token"),
        (f"{ARN}mcp/*#token", f"{ARN}mcp/orders-AbCdEf#token"),
        ("aws-ssm:/mcp/*", "aws-ssm:/mcp/orders/token"),
    ],
)
def test_a_pattern_lets_through_what_it_means(pattern: str, reference: str) -> None:
    assert allowed(reference, ORDERS, entries=(Allowed(pattern),))


@pytest.mark.parametrize(
    ("pattern", "reference"),
    [
        ("env:MCP_*", "env:AWS_SECRET_ACCESS_KEY"),
        ("env:MCP_*", "env:XMCP_TOKEN"),
        ("env:TOKEN", "env:TOKEN2"),
        ("env:T.KEN", "env:TOKEN"),
        ("env:*", "file:/etc/passwd"),
        ("file:/run/secrets/*", "file:/run/secrets/../../etc/shadow"),
        ("file:/run/secrets/*", "file:/run/secretsX/token"),
        ("file:/run/secrets/*", "file://run/other"),
        (f"{ARN}mcp/*", ARN.replace("eu-central-1", "us-east-1") + "mcp/orders-AbCdEf"),
        (f"{ARN}mcp/orders-AbCdEf#token", f"{ARN}mcp/orders-AbCdEf#password"),
        (f"{ARN}mcp/orders-AbCdEf#token", f"{ARN}mcp/orders-AbCdEf"),
        ("aws-ssm:/mcp/*", "aws-ssm:/billing/mcp/token"),
    ],
)
def test_a_pattern_lets_nothing_else_through(pattern: str, reference: str) -> None:
    assert not allowed(reference, ORDERS, entries=(Allowed(pattern),))


def test_an_empty_list_lets_nothing_through() -> None:
    refusal = AllowList().refusal("env:TOKEN", (ORDERS,))
    assert refusal == "env:TOKEN is not among the secrets that may be used here: add it to secrets.allow"


def test_a_bound_secret_goes_to_its_origins_only() -> None:
    entries = (Allowed("env:TOKEN", ORDERS), Allowed("env:TOKEN", "https://login.example.com"))
    assert allowed("env:TOKEN", ORDERS, entries=entries)
    assert allowed("env:TOKEN", ORDERS, "https://login.example.com", entries=entries)
    for elsewhere in ("https://evil.example", "http://orders.example.com", "https://orders.example.com:8443"):
        assert not allowed("env:TOKEN", elsewhere, entries=entries)
        assert not allowed("env:TOKEN", ORDERS, elsewhere, entries=entries)
    assert not allowed("env:TOKEN", entries=entries), "nor to a notifier"


def test_a_wider_entry_does_not_loosen_a_bound_one() -> None:
    entries = (Allowed("env:*"), Allowed("env:ORDERS_TOKEN", ORDERS))
    assert allowed("env:OTHER", "https://other.example", entries=entries)
    assert not allowed("env:ORDERS_TOKEN", "https://other.example", entries=entries)
    refusal = AllowList(entries).refusal("env:ORDERS_TOKEN", ("https://other.example",))
    assert refusal is not None
    assert ORDERS in refusal
    assert "https://other.example" in refusal


@pytest.mark.parametrize("pattern", ["env:A", "env:*", "file:/a/*", "aws-ssm:/mcp/*", f"{ARN}*", f"{ARN}x-AbCdEf#k"])
def test_patterns_are_spelled_as_references_are(pattern: str) -> None:
    assert problem_with_pattern(pattern) is None


@pytest.mark.parametrize("pattern", ["", "*", "TOKEN", "env:a b", "file:run/*", "file:/a/../*", "file:a", "vault:/a/*"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    assert problem_with_pattern(pattern)
