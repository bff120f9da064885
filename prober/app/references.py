"""Secrets that are referred to and not to be had: said at the start, and not only when somebody needs them.

AWS is not asked: that would cost a call for each secret at every start and edit. What it does not give is said by the
first probe that needs it.
"""

from collections.abc import Callable, Iterator

from prober.secrets.references import SecretError, is_reference, is_remote, resolve
from prober.settings import Settings


def missing(settings: Settings, secret: Callable[[str], str] = resolve) -> Iterator[str]:
    """A sentence for every reference of an enabled endpoint, a notifier or the watchdog that cannot be had here."""
    for endpoint in settings.endpoints:
        if endpoint.enabled:
            credentials = (endpoint.bearer, endpoint.oauth.client_secret if endpoint.oauth else None)
            referred = (*endpoint.headers.values(), *(each for each in credentials if each is not None))
            yield from _unresolved(f"endpoint {endpoint.name}", referred, secret)
    for spec in settings.notifiers:
        referred = tuple(value for value in spec.options.values() if isinstance(value, str))
        yield from _unresolved(f"notifier {spec.name}", referred, secret)
    if settings.watchdog.url is not None:
        yield from _unresolved("watchdog", (settings.watchdog.url,), secret)


def _unresolved(who: str, texts: tuple[str, ...], secret: Callable[[str], str]) -> Iterator[str]:
    for text in texts:
        if not is_reference(text) or is_remote(text):
            continue
        try:
            secret(text)
        except SecretError as unavailable:
            yield f"{who}: {unavailable}"
