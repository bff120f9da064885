"""What `check` and `init` ask about credentials on the command line. Secrets are given by reference alone."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from checks.model import ClientAuth, OAuth, SigV4
from prober import values
from prober.cli.errors import CommandError
from prober.secrets.references import SPELLINGS, SecretError, is_reference, is_remote, resolve
from prober.values import Clash

_CLASHES: Final[Mapping[Clash, tuple[str, str]]] = {
    Clash.TWO_TOKENS: ("--bearer and --oauth-token-url both give the token", "keep one of them"),
    Clash.NO_ROOM: (
        "--sigv4 needs the Authorization header for its signature, so that the token has no place",
        "name a header for it, such as --token-header X-App-Token, and set AWS_LWA_AUTHORIZATION_SOURCE of the Lambda "
        "Web Adapter to the same name",
    ),
    Clash.NO_TOKEN: ("--token-header is given, but no token", "add --bearer or --oauth-token-url, or leave it out"),
}
_OAUTH: Final = ("token_url", "client_id", "client_secret")
"""What a token cannot be asked for without."""


Arguments = argparse._ActionsContainer
"""A parser or a group of one: what arguments are added to."""


def add_credential_arguments(parser: Arguments) -> None:
    """Headers, tokens and signatures."""
    parser.add_argument(
        "--header",
        metavar="NAME=REF",
        action="append",
        default=[],
        help=f"send a header; a secret by reference: {SPELLINGS} (repeatable)",
    )
    parser.add_argument("--bearer", metavar="REF", help="bearer token by reference")
    parser.add_argument(
        "--sigv4",
        metavar="SERVICE/REGION",
        nargs="?",
        const="",
        action=_SigningAction,
        help="sign requests with the AWS credentials of this process; service and region are read off the host name of "
        "a Function URL or an API Gateway stage",
    )
    parser.add_argument(
        "--token-header",
        metavar="NAME",
        help="send the token in this header, which AWS_LWA_AUTHORIZATION_SOURCE of the server names (beside --sigv4)",
    )
    parser.add_argument("--oauth-token-url", metavar="URL", help="get the bearer token here, by client credentials")
    parser.add_argument("--oauth-client-id", metavar="ID", help="identifier of the client")
    parser.add_argument("--oauth-client-secret", metavar="REF", help="the client's secret by reference")
    parser.add_argument("--oauth-scope", metavar="S", help="scopes to ask for, separated by spaces")
    parser.add_argument(
        "--oauth-client-auth",
        choices=[each.value for each in ClientAuth],
        help="how the secret is shown: by HTTP Basic, or in the form (default: basic)",
    )
    parser.add_argument("--oauth-resource", metavar="URL", help="resource to ask for (default: the endpoint's address)")


def credentials_from(options: argparse.Namespace, url: str) -> dict[str, Any]:
    """The fields of an endpoint that say what proves who asks.

    Raises CommandError, also for a secret that is not to be had: at the prompt that is a mistake in the command. What
    AWS keeps is asked for by the probe alone.
    """
    headers = _headers(options.header)
    oauth, sigv4 = _oauth(options), _sigv4(options.sigv4, url)
    if options.bearer is not None:
        checked("--bearer", values.reference, options.bearer)
    if options.token_header is not None:
        checked("--token-header", values.header_name, options.token_header)
    for clash in values.clashes(
        bearer=options.bearer is not None,
        oauth=oauth is not None,
        sigv4=sigv4 is not None,
        token_header=options.token_header,
        headers=headers,
    ):
        if clash is Clash.HEADER_TAKEN:
            raise CommandError(_taken(options), "keep one of them")
        if clash in _CLASHES:
            raise CommandError(*_CLASHES[clash])
    secrets = (*headers.values(), options.bearer, None if oauth is None else oauth.client_secret)
    _resolve_all([secret for secret in secrets if secret is not None])
    return {
        "headers": headers,
        "bearer": options.bearer,
        "oauth": oauth,
        "sigv4": sigv4,
        "token_header": options.token_header or values.AUTHORIZATION,
    }


def checked(option: str, rule: Any, written: str) -> Any:
    """What `rule` makes of an option's value. Raises CommandError."""
    try:
        return rule(written)
    except values.Refused as refused:
        raise CommandError(f"{option} {refused.message}", refused.hint) from None


class _SigningAction(argparse.Action):
    """Takes the value of --sigv4, which may be left out: then what follows is no value of it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if "://" in str(values):
            parser.error("--sigv4 took the URL for its value: write the URL before it")
        namespace.sigv4 = values


def _oauth(options: argparse.Namespace) -> OAuth | None:
    given = {name: getattr(options, f"oauth_{name}") for name in (*_OAUTH, "scope", "resource", "client_auth")}
    if all(value is None for value in given.values()):
        return None
    for name in _OAUTH:
        if given[name] is None:
            option = f"--oauth-{name.replace('_', '-')}"
            raise CommandError(f"{option} is missing", "a token is asked for with a URL, a client and its secret")
    rules = {
        "token_url": values.url,
        "client_id": values.client_id,
        "client_secret": values.reference,
        "scope": values.oauth_scope,
        "resource": values.url,
        "client_auth": ClientAuth,
    }
    kept = {name: value for name, value in given.items() if value is not None}
    return OAuth(
        **{name: checked(f"--oauth-{name.replace('_', '-')}", rules[name], value) for name, value in kept.items()}
    )


def _sigv4(written: str | None, url: str) -> SigV4 | None:
    if written is None:
        return None
    service, slash, region = written.partition("/")
    if bool(service) != bool(slash and region):
        raise CommandError("--sigv4 wants SERVICE/REGION", "such as --sigv4 lambda/eu-central-1, or nothing")
    for name in (service, region):
        if name:
            checked("--sigv4", values.aws_name, name)
    made = SigV4(service=service or None, region=region or None)
    try:
        values.signing_scope(url, made.service, made.region)
    except values.Refused as refused:
        raise CommandError(f"--sigv4: the address {refused.message}", refused.hint) from None
    return made


def _taken(options: argparse.Namespace) -> str:
    header = options.token_header or values.AUTHORIZATION
    option = "--bearer" if options.bearer is not None else "--oauth-token-url" if options.oauth_token_url else "--sigv4"
    return f"{option} and --header both give {header}"


def _headers(written: Sequence[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for each in written:
        name, equals, value = each.partition("=")
        if not equals:
            raise CommandError("--header wants NAME=REF", "such as --header X-Api-Key=env:API_KEY")
        if name in headers:
            raise CommandError(f"--header {name} is given twice", "write it once")
        headers[name] = value
    for name, refused in values.header_problems(headers):
        raise CommandError(f"--header {name}: {refused.message}", refused.hint)
    return headers


def _resolve_all(texts: Sequence[str]) -> None:
    for text in texts:
        if is_reference(text) and not is_remote(text):
            try:
                resolve(text)
            except SecretError as error:
                raise CommandError(str(error)) from None
