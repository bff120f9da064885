"""The curl line: what the reader's shell may expand is what he configured himself, and nothing else."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.model import Exchange
from checks.reproduce import curl, curl_in_new_session
from tests.unit.checks.conversations import exchange


def sent(*headers: tuple[str, str], url: str = "https://h/mcp", body: str = "{}", method: str = "POST") -> Exchange:
    return replace(exchange(), method=method, url=url, request_headers=headers, request_body=body)


def as_the_shell_reads_it(line: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """The words that a real shell would hand to curl."""
    shell = shutil.which("sh")
    assert shell is not None
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{line}"
    done = subprocess.run(
        [shell, "-c", script], capture_output=True, check=True, env=dict(environment or {"PATH": "/usr/bin:/bin"})
    )
    return done.stdout.decode().split("\0")[:-1]


def test_the_line_asks_what_was_asked() -> None:
    line = curl(
        sent(("Content-Type", "application/json"), ("Host", "h"), ("Content-Length", "2"), body='{"a":"it\'s"}')
    )

    assert shlex.split(line) == [
        "curl", "-sS", "-i", "-N", "--globoff", "--max-time", "60",
        "-H", "Content-Type: application/json", "--data-raw", '{"a":"it\'s"}', "--url", "https://h/mcp",
    ]  # fmt: skip


def test_get_has_no_body_and_delete_keeps_its_method() -> None:
    assert "-X" not in shlex.split(curl(sent(method="GET", body="")))
    assert "-X DELETE" in curl(sent(method="DELETE", body=""))


def test_an_unchecked_certificate_is_unchecked_here_too() -> None:
    assert "--insecure" in curl(sent(), insecure=True)
    assert "--insecure" not in curl(sent())


def test_a_reference_to_a_variable_is_expanded_by_the_shell() -> None:
    line = curl(sent(("Authorization", "Bearer ${env:API_TOKEN}"), ("X-Key", "${KEY}")))

    words = as_the_shell_reads_it(line, {"PATH": "/usr/bin:/bin", "API_TOKEN": "s3cret", "KEY": "k"})

    assert "Authorization: Bearer s3cret" in words
    assert "X-Key: k" in words
    assert "s3cret" not in line


def test_a_reference_to_a_file_is_read_by_the_shell(tmp_path: Path) -> None:
    path = tmp_path / "it's a token"
    path.write_text("s3cret")

    assert "X-Key: s3cret" in as_the_shell_reads_it(curl(sent(("X-Key", f"${{file:{path}}}"))))


def test_a_reference_that_no_shell_knows_is_a_placeholder() -> None:
    assert '"Authorization: Bearer ${SECRET}"' in curl(sent(("Authorization", "Bearer ${aws-sm:prod/mcp}")))
    assert '"Authorization: ${SECRET}"' in curl(sent(("Authorization", "${env:a b; rm -rf /}")))


@pytest.mark.parametrize("hostile", ["${file:/etc/passwd}", "${env:HOME}", "$(id)", "`id`", "'; id; '", '"$HOME"'])
def test_nothing_that_a_server_chose_is_expanded(hostile: str) -> None:
    line = curl(sent(("Mcp-Session-Id", hostile), url=f"https://h/{hostile}", body=hostile))

    words = as_the_shell_reads_it(line, {"PATH": "/usr/bin:/bin", "HOME": "/root"})

    assert f"Mcp-Session-Id: {hostile}" in words
    assert f"https://h/{hostile}" in words
    assert hostile in words


plain = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@settings(max_examples=40, deadline=None)
@given(before=plain, after=plain)
def test_the_text_around_a_reference_is_only_text(before: str, after: str) -> None:
    if "${" in before + after:
        return
    line = curl(sent(("X-Mixed", f"{before}${{env:TOKEN}}{after}")))

    words = as_the_shell_reads_it(line, {"PATH": "/usr/bin:/bin", "TOKEN": "t"})

    assert f"X-Mixed: {before}t{after}" in words


def test_an_aws_signature_is_made_anew_by_curl() -> None:
    line = curl(
        sent(
            ("Authorization", "${sigv4:lambda/eu-central-1}"),
            ("X-Amz-Date", "20261120T120000Z"),
            ("X-Amz-Security-Token", "${AWS_SESSION_TOKEN}"),
            ("X-App-Token", "Bearer ${env:TOKEN}"),
        )
    )
    environment = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "sk", "AWS_SESSION_TOKEN": "st", "TOKEN": "t"}
    words = as_the_shell_reads_it(line, {**environment, "PATH": "/usr/bin:/bin"})
    assert words[words.index("--aws-sigv4") + 1] == "aws:amz:eu-central-1:lambda"
    assert words[words.index("--user") + 1] == "AK:sk"
    assert [word for at, word in enumerate(words) if words[at - 1] == "-H"] == [
        "X-Amz-Security-Token: st", "X-App-Token: Bearer t",
    ]  # fmt: skip


def test_a_signature_that_a_server_chose_is_only_text() -> None:
    line = curl(sent(("Mcp-Session-Id", "${sigv4:lambda/$(id)}"), ("X-Other", "${sigv4:lambda}")))
    assert "--aws-sigv4" not in line


def test_a_request_in_a_new_session_takes_the_id_from_the_answer_and_expands_nothing_in_it() -> None:
    opening = sent(("Accept", "*/*"), body="open")
    asked = sent(("Mcp-Session-Id", "old"), body="ask")
    script = (
        "curl() { case \"$*\" in *open*) printf 'HTTP/1.1 200 OK\\r\\nMCP-Session-Id: $(id)\\r\\n\\r\\n';;"
        " *) printf '%s\\n' \"$*\";; esac; }\n"
    )
    shell = shutil.which("sh")
    assert shell is not None

    line = curl_in_new_session((opening,), asked, 3)
    done = subprocess.run([shell, "-c", script + line], capture_output=True, text=True, check=True)

    assert done.stdout.count("-H Mcp-Session-Id: $(id)\n") == 3
    assert "old" not in line
