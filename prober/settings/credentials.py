"""Rules about credentials: which go together, and which secrets the deployment lets be used."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from prober import values
from prober.secrets.allowance import Allowed, AllowList, problem_with_pattern
from prober.secrets.references import is_reference, problem_with
from prober.settings.broken import Broken, entries_of, mapping_of
from prober.settings.document import Path
from prober.values import Clash

_CLASHES: Final[Mapping[Clash, tuple[str, str]]] = {
    Clash.TWO_TOKENS: ("bearer and oauth both give the token", "keep one of them"),
    Clash.NO_ROOM: (
        "sigv4 needs the Authorization header for its signature, so that the token has no place",
        "name a header for it, such as token_header: X-App-Token, and set AWS_LWA_AUTHORIZATION_SOURCE of the Lambda "
        "Web Adapter to the same name",
    ),
    Clash.NO_TOKEN: ("token_header is given, but no token", "add bearer or oauth, or leave it out"),
    Clash.NOTHING: ("holds no credentials", "give bearer, oauth or sigv4, or leave out auth"),
}


def broken_rules(data: Mapping[str, Any]) -> Iterator[Broken]:
    """Every rule about headers, tokens, signatures and secrets that the data breaks."""
    defaults = mapping_of(mapping_of(data, "defaults"), "headers")
    yield from _headers(("defaults", "headers"), defaults)
    network = mapping_of(data, "network")
    for index, endpoint in entries_of(data, "endpoints"):
        path = ("endpoints", index)
        own = mapping_of(endpoint, "headers")
        yield from _headers((*path, "headers"), own)
        if isinstance(endpoint.get("auth"), dict):
            yield from _auth(path, endpoint, {**defaults, **own}, network)
    yield from _not_allowed(data)


def _headers(path: Path, headers: Mapping[str, Any]) -> Iterator[Broken]:
    texts = {name: value for name, value in headers.items() if isinstance(value, str)}
    for name, refused in values.header_problems(texts):
        hint = refused.hint
        if name.lower() == "authorization":
            hint = f"{hint}; for a bearer token: auth: {{bearer: env:NAME}}"
        yield Broken((*path, name), refused.message, hint)


def _auth(
    path: Path, endpoint: Mapping[str, Any], headers: Mapping[str, Any], network: Mapping[str, Any]
) -> Iterator[Broken]:
    auth = mapping_of(endpoint, "auth")
    token_header = auth.get("token_header")
    signs = auth.get("sigv4") is True or isinstance(auth.get("sigv4"), dict)
    for clash in values.clashes(
        bearer=auth.get("bearer") is not None,
        oauth=auth.get("oauth") is not None,
        sigv4=signs,
        token_header=token_header if isinstance(token_header, str) else None,
        headers=headers,
    ):
        message, hint = _CLASHES.get(clash) or (
            f"the {_taken(auth)} header is given by headers too",
            "keep either auth or the header",
        )
        yield Broken((*path, "auth"), message, hint)
    if signs:
        yield from _signature((*path, "auth", "sigv4"), endpoint.get("url"), mapping_of(auth, "sigv4"))
    yield from _token_url((*path, "auth", "oauth", "token_url"), mapping_of(auth, "oauth"), network)


def _taken(auth: Mapping[str, Any]) -> str:
    header = auth.get("token_header")
    return header if isinstance(header, str) and header.isprintable() else values.AUTHORIZATION


def _signature(path: Path, url: Any, section: Mapping[str, Any]) -> Iterator[Broken]:
    named = [section.get(key) for key in ("service", "region")]
    service, region = (value if isinstance(value, str) else None for value in named)
    try:
        values.signing_scope(values.url(url) if isinstance(url, str) else "", service, region)
    except values.Refused as refused:
        if isinstance(url, str) and _is_url(url):
            yield Broken(path, f"the address {refused.message}", refused.hint)


def _is_url(text: str) -> bool:
    try:
        values.url(text)
    except values.Refused:
        return False
    return True


def _token_url(path: Path, oauth: Mapping[str, Any], network: Mapping[str, Any]) -> Iterator[Broken]:
    url = oauth.get("token_url")
    if isinstance(url, str) and url.lower().startswith("http:") and not _may_be_plain(url, network):
        yield Broken(
            path,
            "is not an https URL, and the client's secret would go over it in plain text",
            "write https, or for a server on a private network name that network in network.allow_cidrs",
        )


def _may_be_plain(url: str, network: Mapping[str, Any]) -> bool:
    """Whether the address can lie in a network that is allowed. Where a name leads is judged where it is followed."""
    if network.get("allow_private") is True:
        return True
    cidrs = network.get("allow_cidrs")
    allowed = [cidr for cidr in cidrs if isinstance(cidr, str)] if isinstance(cidrs, list) else []
    try:
        address = ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return bool(allowed)
    return any(address in ipaddress.ip_network(cidr) for cidr in allowed if _is_network(cidr))


def _is_network(cidr: str) -> bool:
    try:
        ipaddress.ip_network(cidr)
    except ValueError:
        return False
    return True


def _not_allowed(data: Mapping[str, Any]) -> Iterator[Broken]:
    """References that `secrets.allow` does not let through. An entry that cannot be read has a problem of its own."""
    allow = mapping_of(data, "secrets").get("allow")
    if not isinstance(allow, list):
        return
    entries = tuple(_entries(allow))
    if len(entries) < len(allow):
        return
    allowed = AllowList(entries)
    for path, reference, origins in _references(data):
        refusal = allowed.refusal(reference, origins) if problem_with(reference) is None else None
        if refusal is not None:
            yield Broken(path, refusal, "see secrets.allow of this file")


def _entries(allow: list[Any]) -> Iterator[Allowed]:
    for entry in allow:
        written = entry if isinstance(entry, dict) else {"ref": entry}
        pattern, origin = written.get("ref"), written.get("origin")
        if not isinstance(pattern, str) or problem_with_pattern(pattern) is not None:
            continue
        try:
            yield Allowed(pattern, values.origin(origin) if isinstance(origin, str) else None)
        except values.Refused:
            continue


def _references(data: Mapping[str, Any]) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Every reference of the file with its place and the origins that the secret would be sent to."""
    common = mapping_of(mapping_of(data, "defaults"), "headers")
    for index, endpoint in entries_of(data, "endpoints"):
        path, origins = ("endpoints", index), _origins(endpoint.get("url"))
        auth = mapping_of(endpoint, "auth")
        oauth = mapping_of(auth, "oauth")
        found = [
            *(((*path, "headers", name), value, origins) for name, value in mapping_of(endpoint, "headers").items()),
            *((("defaults", "headers", name), value, origins) for name, value in common.items()),
            ((*path, "auth", "bearer"), auth.get("bearer"), origins),
            (
                (*path, "auth", "oauth", "client_secret"),
                oauth.get("client_secret"),
                (*origins, *_origins(oauth.get("token_url"))),
            ),
        ]
        yield from ((where, value, whither) for where, value, whither in found if _is_reference(value))
    for index, notifier in entries_of(data, "notifiers"):
        yield from ((("notifiers", index, key), value, ()) for key, value in notifier.items() if _is_reference(value))
    if _is_reference(data.get("database_url")):
        yield ("database_url",), data["database_url"], ()


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) and is_reference(value)


def _origins(url: Any) -> tuple[str, ...]:
    return (values.origin_of(url),) if isinstance(url, str) and _is_url(url) else ()
