"""AWS Signature Version 4 over the very bytes that are sent, for Function URLs with AuthType AWS_IAM and API Gateway.

Source: AWS Identity and Access Management user guide, "Create a signed AWS API request".
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit, urlunsplit

from prober import values
from prober.secrets.aws import NO_CREDENTIALS, code_of, session, silence, why
from prober.secrets.references import SecretError
from prober.wire.redact import SentHeader

TOKEN_HEADER: Final = "X-Amz-Security-Token"  # noqa: S105 - the name of a header
DATE_HEADER: Final = "X-Amz-Date"

SEARCH_AGAIN_S: Final = 30.0
"""Pause after a search that found nothing: the last place that is looked into, the instance's metadata, is slow to say
that it is not there."""

_UNRESERVED: Final = "-_.~"


@dataclass(frozen=True, slots=True)
class Keys:
    """One consistent set of AWS credentials."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


class CredentialChain:
    """The AWS credentials of this process, from the standard chain: variables, files, roles of a container or instance.

    Everything here blocks, and the first call imports botocore: ask from a thread. Any number of threads may ask.
    """

    def __init__(self, find: Callable[[], Any] | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`find` gives botocore's credentials, which refresh themselves, or None."""
        self._find = find or _standard_chain
        self._monotonic = monotonic
        self._searching = threading.Lock()
        self._found: Any = None
        self._search_again_at = 0.0

    def keys(self) -> Keys:
        """The credentials as they are now; those of a role are renewed before they expire. Raises SecretError."""
        silence()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            with self._searching:
                found = self._provider()
            frozen = found.get_frozen_credentials()
        except ClientError as error:  # of STS, which was asked for a role
            raise _unavailable(f"{error.operation_name}: {code_of(error.response)}") from None
        except BotoCoreError as error:
            raise _unavailable(why(error)) from None
        if not frozen.access_key or not frozen.secret_key:
            raise _unavailable()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    @property
    def is_searched(self) -> bool:
        """Whether credentials were found earlier, which may have been replaced meanwhile."""
        return self._found is not None

    def renew(self) -> None:
        """Search anew at the next call: the credentials were refused."""
        with self._searching:
            self._found, self._search_again_at = None, 0.0

    def _provider(self) -> Any:
        if self._found is None and self._monotonic() >= self._search_again_at:
            self._found = self._find()
            self._search_again_at = self._monotonic() + SEARCH_AGAIN_S
        if self._found is None:
            raise _unavailable()
        return self._found


class SigV4Signer:
    """Implements `prober.wire.outgoing.Signer` for the requests of one probe.

    Signed are the host, the content type and what belongs to AWS: everything else may be changed on the way by a proxy
    or a front door, and TLS protects it.
    """

    def __init__(self, keys: Keys, service: str, region: str) -> None:
        """Imports botocore, so make it in a thread. Raises nothing."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        self._request = AWSRequest
        self._auth = SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), service, region)
        self._shown = f"${{sigv4:{service}/{region}}}"

    def sign(self, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> Sequence[SentHeader]:
        """Authorization, the time, and with temporary credentials their token."""
        signed = {name: value for name, value in headers if _is_signed(name)}
        request = self._request(method=method, url=_canonical(url), data=body, headers=signed)
        self._auth.add_auth(request)
        made = request.headers
        found = [
            SentHeader(name=values.AUTHORIZATION, value=made[values.AUTHORIZATION], shown=self._shown),
            SentHeader(name=DATE_HEADER, value=made[DATE_HEADER], shown=made[DATE_HEADER]),
        ]
        if TOKEN_HEADER in made:
            found.append(SentHeader(name=TOKEN_HEADER, value=made[TOKEN_HEADER], shown="${AWS_SESSION_TOKEN}"))
        return found


def _is_signed(name: str) -> bool:
    lower = name.lower()
    return lower in ("host", "content-type") or lower.startswith("x-amz-")


def _canonical(url: str) -> str:
    """`url` with its query as AWS reads it: names and values decoded and encoded anew, as botocore does not."""
    parts = urlsplit(url)
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    query = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, _, value in pairs)
    return urlunsplit(parts._replace(query=query))


def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=_UNRESERVED)


def _standard_chain() -> Any:
    return session().get_credentials()


def _unavailable(why: str = "") -> SecretError:
    return SecretError(f"{NO_CREDENTIALS}{f' ({why})' if why else ''}", reason="aws-credentials")
