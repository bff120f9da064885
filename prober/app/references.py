"""Secrets that are referred to and not to be had: said at the start, and not only when somebody needs them."""

from collections.abc import Callable, Iterator

from prober.secrets.references import SecretError, is_reference, resolve
from prober.settings import Settings


def missing(settings: Settings, secret: Callable[[str], str] = resolve) -> Iterator[str]:
    """A sentence for every reference of an enabled endpoint or a notifier that cannot be resolved here and now."""
    for endpoint in settings.endpoints:
        if endpoint.enabled:
            referred = (*endpoint.headers.values(), *([endpoint.bearer] if endpoint.bearer else []))
            yield from _unresolved(f"endpoint {endpoint.name}", referred, secret)
    for spec in settings.notifiers:
        referred = tuple(value for value in spec.options.values() if isinstance(value, str))
        yield from _unresolved(f"notifier {spec.name}", referred, secret)


def _unresolved(who: str, texts: tuple[str, ...], secret: Callable[[str], str]) -> Iterator[str]:
    for text in filter(is_reference, texts):
        try:
            secret(text)
        except SecretError as unavailable:
            yield f"{who}: {unavailable}"
