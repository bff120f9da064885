"""Policies for browsers: what keeps the scripts of web pages out that are to use the server.

A deployment without any policy means no browsers, and nothing is said of it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from checks.spec import HEADER_METHOD, HEADER_NAME, HEADER_SESSION, HEADER_VERSION
from checks.templates.model import Cors, Deployment, DoorKind, Subject
from checks.templates.unit import Fault, Fix, Severity, everywhere, rule

_SENT: Final = ("content-type", HEADER_VERSION.lower(), HEADER_SESSION.lower())
"""What every browser client of the handshake revisions sends."""
_ALLOWED: Final = ("content-type", "authorization", *(
    name.lower() for name in (HEADER_VERSION, HEADER_SESSION, HEADER_METHOD, HEADER_NAME)
))  # fmt: skip
_LONGEST_METHOD: Final = 6
"""Lambda API reference, `Cors`: a method has at most six characters, so that OPTIONS is refused."""

Policy = tuple[Subject, str, Cors, bool]
"""Whose it is, where its properties begin, what it says, and whether it is that of a Function URL."""


def _policies(deployment: Deployment) -> Iterator[Policy]:
    for function in deployment.mcp_functions:
        for url in function.urls:
            if url.cors is not None:
                yield url.subject, f"{url.base}Cors", url.cors, True
        for gateway in deployment.gateways_of(function):
            if gateway.cors is not None:
                at = "Cors" if gateway.kind is DoorKind.REST_API else "CorsConfiguration"
                yield gateway.subject, at, gateway.cors, False


def _listed(name: str, values: Sequence[str]) -> Fix:
    yaml = f"{name}: [{', '.join(values)}]"
    in_code = f"{name[0].lower()}{name[1:]}: [{', '.join(repr(each) for each in values)}]"
    return Fix(
        sam=yaml,
        cloudformation=yaml,
        cdk=in_code.replace("exposeHeaders", "exposedHeaders").replace("allowHeaders", "allowedHeaders"),
        cli=f"aws lambda update-function-url-config --function-name NAME --cors FILE   # with {yaml}",
    )


def _covers(names: Sequence[str] | None, wanted: str, *, literal: bool | None) -> bool:
    """Whether a list holds a header; `*` is a wildcard unless credentials are allowed (Fetch standard)."""
    if names is None:
        return True
    lower = {each.lower() for each in names}
    return wanted in lower or ("*" in lower and literal is not True)


@rule("cors-session-hidden", diagnosis="cors-misconfigured", severity=Severity.WARNING)
def cors_session_hidden(deployment: Deployment) -> Iterator[Fault]:
    """Browser clients cannot read Mcp-Session-Id, and lose their session after the first answer."""
    for subject, at, cors, _ in _policies(deployment):
        if not _covers(cors.exposed, HEADER_SESSION.lower(), literal=cors.credentials):
            shown = ", ".join(cors.exposed or ()) or "nothing"
            yield Fault(
                subject=subject,
                at=f"{at}.ExposeHeaders" if cors.exposed else at,
                evidence=f"ExposeHeaders holds {shown}",
                fix=_listed("ExposeHeaders", (HEADER_SESSION.lower(), "www-authenticate")),
            )


@rule("cors-headers-refused", diagnosis="cors-misconfigured", severity=Severity.WARNING)
def cors_headers_refused(deployment: Deployment) -> Iterator[Fault]:
    """Browsers may not send the headers of MCP."""
    for subject, at, cors, _ in _policies(deployment):
        missing = [each for each in _SENT if not _covers(cors.headers, each, literal=cors.credentials)]
        if missing:
            yield Fault(
                subject=subject,
                at=f"{at}.AllowHeaders" if cors.headers else at,
                evidence=f"AllowHeaders lacks {', '.join(missing)}",
                fix=_listed("AllowHeaders", _ALLOWED),
            )


@rule("cors-method-refused", diagnosis="cors-misconfigured", severity=Severity.WARNING)
def cors_method_refused(deployment: Deployment) -> Iterator[Fault]:
    """Browsers may not POST, which is how MCP asks."""
    for subject, at, cors, _ in _policies(deployment):
        methods = cors.methods
        if methods is not None and not {"POST", "*"} & {each.upper() for each in methods}:
            yield Fault(
                subject=subject,
                at=f"{at}.AllowMethods" if methods else at,
                evidence=f"AllowMethods holds {', '.join(methods) or 'nothing'}",
                fix=_listed("AllowMethods", ("POST", "GET", "DELETE")),
            )


@rule("cors-origins", diagnosis="cors-misconfigured", severity=Severity.WARNING)
def cors_origins(deployment: Deployment) -> Iterator[Fault]:
    """The policy lets in no page at all: no origin, one with a path, or any origin together with credentials."""
    for subject, at, cors, _ in _policies(deployment):
        said = _origin_fault(cors)
        if said is not None:
            yield Fault(
                subject=subject,
                at=f"{at}.AllowOrigins" if cors.origins else at,
                evidence=said,
                fix=_listed("AllowOrigins", ("https://app.example.com",)),
            )


def _origin_fault(cors: Cors) -> str | None:
    if cors.origins is None:
        return None
    if not cors.origins:
        return "AllowOrigins holds nothing"
    if "*" in cors.origins and cors.credentials is True:
        return "AllowOrigins is *, which browsers refuse together with credentials"
    broken = next((each for each in cors.origins if each.count("/") > 2), None)
    return None if broken is None else f"{broken} is no origin: an origin ends after host and port, without a slash"


@rule("cors-options-named", diagnosis=None, severity=Severity.ERROR)
def cors_options_named(deployment: Deployment) -> Iterator[Fault]:
    """A Function URL's AllowMethods names a method of more than six letters: the deployment fails."""
    for subject, at, cors, of_url in _policies(deployment):
        long = [each for each in cors.methods or () if len(each) > _LONGEST_METHOD]
        if of_url and long:
            fix = everywhere("AllowMethods: [POST, GET, DELETE]   # preflights are answered without being named")
            yield Fault(subject=subject, at=f"{at}.AllowMethods", evidence=f"it names {', '.join(long)}", fix=fix)
