"""References to secrets: what they resolve to, and that no refusal holds a value."""

import os
from pathlib import Path

import pytest

from prober.secrets.references import MAX_SECRET_BYTES, SecretError, is_reference, problem_with, region_of, resolve


def test_a_variable_gives_its_value() -> None:
    assert resolve("env:TOKEN", {"TOKEN": "s3cr3t"}) == "s3cr3t"


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_TEST_TOKEN", "from-process")
    assert resolve("env:PROBER_TEST_TOKEN") == "from-process"


@pytest.mark.parametrize(
    ("content", "secret"), [("abc", "abc"), ("abc\n", "abc"), ("abc\r\n", "abc"), ("a b ", "a b ")]
)
def test_a_file_gives_its_content_without_the_newline_at_its_end(tmp_path: Path, content: str, secret: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content.encode())
    assert resolve(f"file:{path}") == secret


def test_a_missing_variable_is_named_with_the_way_out() -> None:
    with pytest.raises(SecretError, match=r"env:TOKEN is not set: set the environment variable TOKEN"):
        resolve("env:TOKEN", {})


@pytest.mark.parametrize("value", ["hidden\nX-Other: 1", "hid\rden", "hid\x00den", "hiddén", "hidden\n\n"])
def test_a_value_that_no_header_can_carry_is_refused_without_being_shown(tmp_path: Path, value: str) -> None:
    path = tmp_path / "token"
    path.write_bytes((value + "\n").encode())
    with pytest.raises(SecretError) as refusal:
        resolve(f"file:{path}")
    assert "hid" not in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_bytes_that_are_no_text_are_refused_without_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"hidden\xff\xfe")
    with pytest.raises(SecretError) as refusal:
        resolve(f"file:{path}")
    assert "hidden" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("\n")
    for reference, env in ((f"file:{path}", {}), ("env:TOKEN", {"TOKEN": ""})):
        with pytest.raises(SecretError, match="is empty"):
            resolve(reference, env)


def test_a_file_up_to_the_limit_is_read_and_a_larger_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("x" * MAX_SECRET_BYTES)
    assert len(resolve(f"file:{path}")) == MAX_SECRET_BYTES
    path.write_text("x" * (MAX_SECRET_BYTES + 1))
    with pytest.raises(SecretError, match="larger than 64 KiB"):
        resolve(f"file:{path}")


def test_what_is_no_regular_file_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero")):
        with pytest.raises(SecretError, match="not a regular file"):
            resolve(f"file:{path}")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"gone cannot be read \(No such file or directory\)"):
        resolve(f"file:{tmp_path}/gone")


ARN = "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:mcp/orders-AbCdEf"


@pytest.mark.parametrize(
    "reference",
    [
        "env:", "env:my-token", "env:A B", "file:relative", "file:", "file:/a/../b", "plain", "", "aws-sm:", "aws-ssm:",
        "aws-sm:mcp/orders", f"{ARN}#", "aws-sm:arn:aws:s3:eu-central-1:123456789012:secret:x", "aws-ssm:mcp",
        "aws-ssm:/mcp token", "aws-ssm:/", "aws-ssm:/a" + "/a" * 15,
    ],
)  # fmt: skip
def test_a_misspelt_reference_is_a_secret_error(reference: str) -> None:
    assert problem_with(reference)
    with pytest.raises(SecretError):
        resolve(reference, {"": "x", "my-token": "x", "A B": "x"})


@pytest.mark.parametrize(
    "reference", [ARN, f"{ARN}#token", f"{ARN}#a key", "aws-ssm:/mcp", "aws-ssm:/mcp/orders.v1/a_b"]
)
def test_references_to_aws_are_spelled_so_and_not_resolved_here(reference: str) -> None:
    assert problem_with(reference) is None
    with pytest.raises(SecretError, match="is kept by AWS"):
        resolve(reference)


def test_the_region_of_a_secret_stands_in_its_arn() -> None:
    assert region_of(f"{ARN}#token") == "eu-central-1"
    assert region_of("aws-ssm:/mcp") is None


def test_plain_text_is_no_reference() -> None:
    assert is_reference("env:A")
    assert is_reference("file:/a")
    assert is_reference("aws-sm:a")
    assert is_reference("aws-ssm:/a")
    assert not is_reference("Bearer abc")
    assert not is_reference("https://example.com")
