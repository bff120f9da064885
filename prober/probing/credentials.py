"""The headers that an endpoint's owner wants sent, with references resolved at probe time and never earlier."""

from collections.abc import Callable

from checks.model import Endpoint
from prober.secrets.references import is_reference
from prober.wire.redact import SentHeader


def sent_headers(endpoint: Endpoint, resolve: Callable[[str], str]) -> tuple[SentHeader, ...]:
    """The extra request headers of an endpoint, each with its real value and the text that may be shown for it.

    Raises what `resolve` raises for a secret that is not to be had; its message names the reference only.
    """
    headers = [_header(name, value, resolve) for name, value in endpoint.headers.items()]
    if endpoint.bearer is not None:
        headers.append(
            SentHeader(
                name="Authorization",
                value=f"Bearer {resolve(endpoint.bearer)}",
                shown=f"Bearer ${{{endpoint.bearer}}}",
            )
        )
    return tuple(headers)


def _header(name: str, value: str, resolve: Callable[[str], str]) -> SentHeader:
    if is_reference(value):
        return SentHeader(name=name, value=resolve(value), shown=f"${{{value}}}")
    return SentHeader(name=name, value=value, shown=value)
