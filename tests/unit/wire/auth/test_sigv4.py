"""Signatures, judged by a verifier that was written from AWS's description and knows nothing of botocore."""

import hashlib
import hmac
import posixpath
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.secrets.references import SecretError
from prober.wire.auth.sigv4 import CredentialChain, Keys, SigV4Signer
from prober.wire.redact import Redactor, SentHeader

KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
TEMPORARY = Keys("ASIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "session-token-value")
URL = "https://abc123.lambda-url.eu-central-1.on.aws/mcp"
BODY = b'{"jsonrpc":"2.0","id":"1","method":"tools/list"}'
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
)


def expected_signature(
    method: str, target: str, headers: Mapping[str, str], body: bytes, secret: str, service: str, region: str
) -> str:
    """The signature by "Create a signed AWS API request": canonical request, string to sign, key, signature."""
    found = AUTHORIZATION.fullmatch(headers["authorization"])
    assert found, headers["authorization"]
    names = found[5].split(";")
    assert names == sorted(names)
    path, _, query = target.partition("?")
    # "Each path segment must be URI-encoded twice", once of which has happened on the way out.
    canonical_path = "/".join(quote(segment, safe="-_.~") for segment in _normal(path).split("/"))
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    encoded = sorted((_encoded(name), _encoded(value)) for name, _, value in pairs)
    canonical = "\n".join(
        [
            method,
            canonical_path,
            "&".join(f"{name}={value}" for name, value in encoded),
            *(f"{name}:{' '.join(headers[name].split())}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    stamp = headers["x-amz-date"]
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _normal(path: str) -> str:
    if not path.strip("/"):
        return "/"
    end = "/" if path.endswith(("/", "/.", "/..")) else ""
    return f"/{posixpath.normpath(path).strip('/')}{end}".replace("//", "/")


def _encoded(text: str) -> str:
    return quote(unquote(text, "latin-1").encode("latin-1"), safe="-_.~")


def signed(
    url: str = URL,
    *,
    keys: Keys = KEYS,
    body: bytes = BODY,
    service: str = "lambda",
    region: str = "eu-central-1",
    headers: Mapping[str, str] | None = None,
) -> tuple[httpx.Request, list[SentHeader]]:
    """The request as the wire sends it, with the headers that sign it."""
    extra = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", **(headers or {})}
    request = httpx.Request("POST", url, headers=extra, content=body)
    raw = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]
    made = list(SigV4Signer(keys, service, region).sign("POST", str(request.url), raw, body))
    request.headers = httpx.Headers([*request.headers.raw, *((each.name, each.value) for each in made)])
    return request, made


def is_good(
    request: httpx.Request, *, service: str = "lambda", region: str = "eu-central-1", body: bytes = BODY
) -> bool:
    headers = {name.lower(): value for name, value in request.headers.items()}
    found = AUTHORIZATION.fullmatch(headers["authorization"])
    assert found
    assert (found[3], found[4]) == (region, service)
    target = request.url.raw_path.decode("ascii")
    return found[6] == expected_signature("POST", target, headers, body, KEYS.secret_key, service, region)


def test_the_verifier_agrees_with_an_example_of_aws() -> None:
    """`get-vanilla` of the test suite that AWS publishes for this signature."""
    headers = {
        "host": "example.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    }
    assert headers["authorization"].endswith(
        expected_signature("GET", "/", headers, b"", KEYS.secret_key, "service", "us-east-1")
    )


@pytest.mark.parametrize(
    "target",
    [
        "", "/", "/mcp", "/mcp/", "/a/b/c", "/a%20b", "/a%2Fb/c", "/%C3%BC", "/a:b@c", "/a//b", "/a/./b/../c", "/a=b&c",
        "/mcp?", "/mcp?a=1", "/mcp?b=2&a=1", "/mcp?a=2&a=1", "/mcp?flag", "/mcp?flag&a=", "/mcp?q=a%20b",
        "/mcp?redirect=https://x.example/y", "/mcp?q=a%2bb", "/mcp?q=~a-b_c.d", "/mcp?q=%7Ea", "/mcp?e=a=b",
        "/mcp?q=%C3%BC", "/mcp?A=1&a=2", "/mcp?a&&b", "/mcp?q=a,b;c(d)!*'", "/mcp?a-b=1&a=2", "/mcp?q=%E2%9C%93",
    ],
)  # fmt: skip
def test_paths_and_queries_are_signed_as_aws_reads_them(target: str) -> None:
    request, _ = signed(f"https://abc123.lambda-url.eu-central-1.on.aws{target}")
    assert is_good(request)


@settings(max_examples=200)
@given(
    segments=st.lists(st.text("aZ9-._~ %/:@!$&'()*,;=ü✓", max_size=8), max_size=4),
    query=st.lists(
        st.tuples(st.text("aZ9-._~ %/:?@!$'(),;ü", max_size=6), st.text("a=&+ü%\x7f", max_size=6)), max_size=4
    ),
)
def test_any_path_and_query_is_signed_as_it_is_sent(segments: list[str], query: list[tuple[str, str]]) -> None:
    path = "/".join(quote(each, safe="") for each in segments if each not in (".", ".."))
    pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    request, _ = signed(f"https://h.example/{path}?{pairs}")
    assert is_good(request)


@pytest.mark.parametrize(
    ("url", "service", "region"),
    [
        ("https://abc123.execute-api.us-east-1.amazonaws.com/prod/mcp", "execute-api", "us-east-1"),
        ("https://mcp.example.com:8443/mcp", "lambda", "eu-west-1"),
        ("http://127.0.0.1:9000/mcp", "lambda", "eu-west-1"),
        ("http://[::1]:9000/mcp", "lambda", "eu-west-1"),
    ],
)
def test_service_region_and_port_are_part_of_it(url: str, service: str, region: str) -> None:
    request, _ = signed(url, service=service, region=region)
    assert is_good(request, service=service, region=region)


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\x00" * 1000])
def test_the_very_bytes_of_the_body_are_signed(body: bytes) -> None:
    request, _ = signed(body=body)
    assert is_good(request, body=body)
    assert not is_good(request, body=body + b" ")


def test_temporary_credentials_send_their_token_and_sign_it() -> None:
    request, made = signed(keys=TEMPORARY)
    assert is_good(request)
    assert request.headers["x-amz-security-token"] == "session-token-value"
    assert "x-amz-security-token" in request.headers["authorization"]
    assert [each.name for each in made] == ["Authorization", "X-Amz-Date", "X-Amz-Security-Token"]


def test_what_a_proxy_may_change_is_not_signed() -> None:
    request, _ = signed(
        headers={"Connection": "keep-alive", "X-Forwarded-For": "1.2.3.4", "X-Amz-Tenant": "a  b", "Te": "trailers"}
    )
    assert is_good(request)
    for name in ("connection", "accept", "x-forwarded-for", "te", "user-agent", "content-length"):
        request.headers[name] = "changed"
    assert is_good(request)
    request.headers["x-amz-tenant"] = "other"
    assert not is_good(request)


def test_signature_and_token_are_shown_as_placeholders_and_known_to_the_redactor() -> None:
    request, made = signed(keys=TEMPORARY)
    assert [each.shown for each in made] == [
        "${sigv4:lambda/eu-central-1}", request.headers["x-amz-date"], "${AWS_SESSION_TOKEN}",
    ]  # fmt: skip
    signature = request.headers["authorization"].rpartition("=")[2]
    echo = f"you sent {request.headers['authorization']} and {signature} by ASIDEXAMPLE with session-token-value"
    shown = Redactor(made).text(echo)
    for secret in (signature, "ASIDEXAMPLE", "session-token-value"):
        assert secret not in shown
    assert TEMPORARY.secret_key not in repr(TEMPORARY) + repr(made) + repr(
        SigV4Signer(TEMPORARY, "lambda", "x").__dict__
    )


def chain(*found: Any) -> tuple[CredentialChain, list[int], list[float]]:
    """A chain over what each search finds, the searches so far, and its clock."""
    searches: list[int] = []
    now = [0.0]

    def find() -> Any:
        searches.append(1)
        return found[min(len(searches), len(found)) - 1]

    return CredentialChain(find, lambda: now[0]), searches, now


def test_credentials_are_searched_for_once() -> None:
    credentials, searches, _ = chain(Credentials("A", "S", "T"))
    assert [credentials.keys(), credentials.keys()] == [Keys("A", "S", "T")] * 2
    assert len(searches) == 1


def test_refused_credentials_are_searched_for_again() -> None:
    credentials, _, _ = chain(Credentials("A", "S"), Credentials("B", "S"))
    assert credentials.keys() == Keys("A", "S")
    credentials.renew()
    assert credentials.keys() == Keys("B", "S")


def test_a_search_that_found_nothing_is_not_repeated_by_every_probe() -> None:
    credentials, searches, now = chain(None, Credentials("A", "S"))
    for _ in range(3):
        with pytest.raises(SecretError, match="no AWS credentials are to be had") as refusal:
            credentials.keys()
        assert refusal.value.reason == "aws-credentials"
    assert len(searches) == 1
    now[0] = 60.0
    assert credentials.keys() == Keys("A", "S")


class Role:
    """A role that cannot be assumed any more: botocore hands on what STS says, as it is."""

    def get_frozen_credentials(self) -> Credentials:
        said = {"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: sts:AssumeRole"}}
        raise ClientError(said, "AssumeRole")


def test_a_role_that_may_not_be_assumed_gives_no_credentials() -> None:
    with pytest.raises(SecretError, match=r"AWS credentials are to be had.*AssumeRole: AccessDenied") as caught:
        CredentialChain(Role).keys()
    assert caught.value.reason == "aws-credentials"


def test_the_host_header_is_the_one_that_is_sent() -> None:
    request, _ = signed("https://abc123.lambda-url.eu-central-1.on.aws:443/mcp")
    assert request.headers["host"] == urlsplit(URL).netloc
    assert is_good(request)
