"""One post of JSON to an address that may be secret, for the channels that speak HTTP."""

import json
from collections.abc import Sequence
from typing import Any, Final

from prober.net.client import PostOutcome
from prober.notifiers.contract import Tools, secret_behind, to_mend, unanswered

TIMEOUT_S: Final = 10.0


def encoded(payload: Any) -> bytes:
    """JSON as it is sent, in ASCII alone: what is no character of Unicode cannot break it."""
    return json.dumps(payload, separators=(",", ":")).encode("ascii")


async def url_behind(tools: Tools, reference: str) -> str:
    """The address that a reference stands for. Raises NotifyError where it is none or not to be had."""
    url = await secret_behind(tools, reference)
    if not url.startswith(("https://", "http://")):
        raise to_mend(f"{reference} does not hold a URL: put the address there, with https://")
    return url


async def post(
    tools: Tools, url: str, content: bytes, *, hide: str, headers: Sequence[tuple[str, str]] = ()
) -> PostOutcome:
    """The answer to one post, whatever its status. Addresses, bodies and headers may be secret: they go to public
    addresses over TLS alone. Raises NotifyError where no answer came; `hide` then stands for the address."""
    outcome = await tools.net.post_json(url, content, timeout_s=TIMEOUT_S, headers=headers, confidential=True)
    if outcome.status is None:
        reason = outcome.error.detail if outcome.error else "no answer"
        raise unanswered(outcome.error, _hidden(reason, url, hide))
    return outcome


def is_taken(status: int | None) -> bool:
    """Whether the status says that the notice was taken (RFC 9110 section 15.3)."""
    return status is not None and 200 <= status < 300


def _hidden(text: str, url: str, shown: str) -> str:
    """`text` without the address, whole or its path alone, which is what makes it a secret."""
    path = "/" + url.split("://", 1)[-1].partition("/")[2]
    for secret in (url, path):
        if len(secret) > 1:
            text = text.replace(secret, f"${{{shown}}}")
    return text
