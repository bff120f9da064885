"""Single values that a person writes."""

import pytest

from prober import values
from prober.values import Refused


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(60, 60), ("60", 60), ("60s", 60), ("5m", 300), ("1h", 3600), ("500ms", 0.5), ("1.5 s", 1.5), (0.25, 0.25)],
)
def test_durations_are_read_as_seconds(written: object, seconds: float) -> None:
    assert values.duration_s(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["", "soon", "-5", "5 minutes", "5m30s", True, None, [], float("nan"), float("inf"), "9" * 400, "1e9"]
)
def test_anything_else_is_no_duration(written: object) -> None:
    with pytest.raises(Refused, match="is not a duration"):
        values.duration_s(written)


@pytest.mark.parametrize(
    "url",
    [
        "https://abc.lambda-url.eu-central-1.on.aws/mcp",
        "http://localhost:8080",
        "http://127.0.0.1/mcp?tenant=a",
        "http://[::1]:8080/mcp",
        "HTTPS://EXAMPLE.COM./",
        "http://my_host:80/",
    ],
)
def test_addresses_of_endpoints(url: str) -> None:
    assert values.url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com/mcp", "/mcp", "ftp://example.com", "file:///etc/passwd", "http://", "http:///mcp",
        "http://exa mple.com", "http://exa\nmple.com", "http://example.com:99999/", "http://example.com:0/",
        "http://[::1/", "http://[nonsense]/", "http://[fe80::1%25eth0]/mcp", "http://[fe80::1%eth0]/mcp",
        "http://-a.com/", "http://a..b/", "https://ex\u00e4mple.com/",
        "http://example.com/#part", "http://example.com/" + "a" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_a_way_out(url: str) -> None:
    with pytest.raises(Refused) as refusal:
        values.url(url)
    assert refusal.value.hint


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(Refused) as refusal:
        values.url("https://user:hunter2@example.com/")
    assert "hunter2" not in refusal.value.message + refusal.value.hint


@pytest.mark.parametrize(
    "header",
    ["Authorization", "x-api-key", "X-Amz-Security-Token", "Cookie", "api_key", "X-Auth-Token", "Proxy-Authorization",
     "client-secret", "X-Auth-Key", "auth"],
)  # fmt: skip
def test_a_credential_written_out_is_refused_and_its_reference_is_not(header: str) -> None:
    with pytest.raises(Refused, match="is a secret written out") as refusal:
        values.header_value(header, "hunter2")
    assert "env:NAME" in refusal.value.hint
    assert "hunter2" not in str(refusal.value)
    assert values.header_value(header, "env:KEY") == "env:KEY"


@pytest.mark.parametrize(
    "header", ["X-Tenant", "User-Agent", "X-Tokenizer", "Traceparent", "Idempotency-Key", "X-Author"]
)
def test_other_headers_may_be_written_out(header: str) -> None:
    assert values.header_value(header, "plain text") == "plain text"


@pytest.mark.parametrize("value", ["", " x", "x ", "a\r\nb", "a\nb", "a\x00b", "\u00e9", "x" * 9000])
def test_values_that_would_break_out_of_a_header_are_refused(value: str) -> None:
    with pytest.raises(Refused):
        values.header_value("X-Tenant", value)


@pytest.mark.parametrize(
    "header", ["", "bad name", "a:b", "a\r\nb", "\u00e9", "Host", "content-LENGTH", "Mcp-Session-Id"]
)
def test_header_names_that_are_none_or_our_own_are_refused(header: str) -> None:
    with pytest.raises(Refused):
        values.header_name(header)


def test_every_fault_of_a_set_of_headers_is_named() -> None:
    problems = values.header_problems({"X-A": "1", "x-a": "2", "Host": "h", "Cookie": "c", "X-B": "env:1"})
    assert [name for name, _ in problems] == ["x-a", "Host", "Cookie", "X-B"]


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.com.:443/", "https://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://a.example:443", "http://a.example:443"),
        ("http://[::1]:80/", "http://[::1]"),
    ],
)
def test_origins_are_spelled_as_browsers_do(written: str, origin: str) -> None:
    assert values.origin(written) == origin


@pytest.mark.parametrize(
    "written", ["null", "", "*", "app.example.com", "https://a.example/app", "https://a.example?", "ftp://a"]
)
def test_what_is_no_origin_is_refused(written: str) -> None:
    with pytest.raises(Refused, match="is not an origin"):
        values.origin(written)


def test_the_origin_of_an_address() -> None:
    assert values.origin_of("https://Orders.example.com:8443/mcp?key=1") == "https://orders.example.com:8443"


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        ("https://abc123.lambda-url.eu-central-1.on.aws/mcp", ("lambda", "eu-central-1")),
        ("https://ABC123.Lambda-URL.us-gov-west-1.on.aws./", ("lambda", "us-gov-west-1")),
        ("https://abc123.execute-api.us-east-1.amazonaws.com/prod/mcp", ("execute-api", "us-east-1")),
        ("https://abc123.execute-api.cn-north-1.amazonaws.com.cn/prod", ("execute-api", "cn-north-1")),
        ("https://abc-vpce-0.execute-api.us-east-1.amazonaws.com/prod", ("execute-api", "us-east-1")),
        ("https://vpce-0-x.execute-api.us-east-1.vpce.amazonaws.com/prod", ("execute-api", "us-east-1")),
    ],
)
def test_service_and_region_are_read_off_the_host(url: str, scope: tuple[str, str]) -> None:
    assert values.signing_scope(url) == scope


def test_what_is_named_stands_over_what_the_host_tells() -> None:
    assert values.signing_scope("https://a.lambda-url.eu-west-1.on.aws/", region="us-east-1") == ("lambda", "us-east-1")
    assert values.signing_scope("https://mcp.example.com/", "lambda", "eu-west-1") == ("lambda", "eu-west-1")


@pytest.mark.parametrize(
    "url",
    [
        "https://mcp.example.com/", "https://abc.lambda-url.eu-west-1.on.aws.evil.example/",
        "https://evil.example/abc.lambda-url.eu-west-1.on.aws", "https://execute-api.us-east-1.amazonaws.com/",
        "https://xlambda-url.eu-west-1.on.aws/", "https://d111.cloudfront.net/mcp",
    ],
)  # fmt: skip
def test_other_hosts_tell_no_scope(url: str) -> None:
    with pytest.raises(Refused, match="does not tell service and region"):
        values.signing_scope(url)


def test_a_plus_in_a_query_cannot_be_signed() -> None:
    with pytest.raises(Refused, match="is read in two ways"):
        values.signing_scope("https://a.lambda-url.eu-west-1.on.aws/?q=a+b")


ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"


@pytest.mark.parametrize(
    ("function", "url", "source"),
    [
        ("orders", "https://mcp.example.com/mcp", ("/aws/lambda/orders", None)),
        ("orders:live", "https://abc.lambda-url.eu-central-1.on.aws/mcp", ("/aws/lambda/orders", "eu-central-1")),
        (ARN, "https://mcp.example.com/mcp", ("/aws/lambda/orders", "eu-west-1")),
        (f"{ARN}:7", "https://abc.lambda-url.eu-central-1.on.aws/mcp", ("/aws/lambda/orders", "eu-west-1")),
        (f"{ARN}:$LATEST", "https://mcp.example.com/mcp", ("/aws/lambda/orders", "eu-west-1")),
    ],
)
def test_a_function_has_its_log_group_and_its_region(function: str, url: str, source: tuple[str, str | None]) -> None:
    assert values.log_group(values.function(function), url) == source


@pytest.mark.parametrize(
    "text", ["", "a b", "../x", "x" * 65, "arn:aws:s3:::bucket", f"{ARN}:a:b", "orders\n", "/aws/lambda/orders"]
)
def test_what_is_no_function_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="neither name nor ARN"):
        values.function(text)
