"""Asks AWS one call at a time; what is refused is named with the permission that would allow it.

Every call blocks. Throttling is met by the retries of the clients, so that a large account is slow and not incomplete.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from checks.text import clean
from prober.secrets import aws

CONNECT_S: Final = 5.0
READ_S: Final = 20.0
ATTEMPTS: Final = 8

_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized"}
)
_THROTTLED: Final = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "Throttled"}
)
_OWN_CREDENTIALS: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "InvalidSignatureException",
     "UnrecognizedClientException", "MissingAuthenticationToken", "IncompleteSignature"}
)  # fmt: skip

_NOT_EVERYWHERE: Final = frozenset({"lambda-web"})
"""Services that some Regions lack, so that waiting for them is in vain."""


class Clients(Protocol):
    """Where the clients of boto3 come from."""

    def client(self, service: str) -> Any:
        """The client of a service such as `lambda`."""
        ...


class CannotDiscover(Exception):
    """Nothing can be asked at all. The text says why and names the way out."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Something that was not seen, because a call failed."""

    call: str
    """Service and operation, such as `lambda:ListFunctions`."""
    why: str
    action: str | None = None
    """The IAM action that is missing, where that is why."""


class RegionClients:
    """Clients for one Region, patient and throttling-safe."""

    def __init__(self, region: str) -> None:
        from botocore.config import Config

        aws.silence()
        self._session = aws.session()
        self._region = region
        patience = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        self._patient = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries=patience)
        self._quick = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 2})

    def client(self, service: str) -> Any:
        """The client of a service. Raises CannotDiscover."""
        from botocore.exceptions import BotoCoreError

        try:
            config = self._quick if service in _NOT_EVERYWHERE else self._patient
            return self._session.client(service, region_name=self._region, config=config)
        except BotoCoreError as error:
            raise CannotDiscover(f"{aws.NO_CREDENTIALS} ({aws.why(error)})") from None


class Asker:
    """Asks through clients, and remembers what could not be seen."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._made: dict[str, Any] = {}
        self.unseen: list[Unseen] = []

    def all_of(
        self, service: str, operation: str, key: str, action: str, *, everywhere: bool = True, **asked: Any
    ) -> list[Mapping[str, Any]]:
        """All items of a paginated list; empty where it may not be read. Raises CannotDiscover.

        A service that is not everywhere is not missed where it cannot be reached.
        """

        def ask() -> list[Mapping[str, Any]]:
            pages = self._client(service).get_paginator(operation).paginate(**asked)
            found = pages.search(key)
            return [each for each in found if isinstance(each, dict)]

        return self._try(action, ask, everywhere=everywhere) or []

    def one(
        self, service: str, operation: str, action: str, *, absent: Iterable[str] = (), **asked: Any
    ) -> Mapping[str, Any] | None:
        """One answer; None where it may not be read, empty where AWS says that there is none (codes `absent`)."""
        answer = self._try(action, lambda: getattr(self._client(service), operation)(**asked), frozenset(absent))
        return None if answer is None else dict(answer)

    def _client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._clients.client(service)
        return self._made[service]

    def _try(
        self, action: str, ask: Callable[[], Any], absent: frozenset[str] = frozenset(), *, everywhere: bool = True
    ) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

        try:
            return ask()
        except ClientError as error:
            code = aws.code_of(error.response)
            if code in absent:
                return {}
            if code in _OWN_CREDENTIALS:
                raise CannotDiscover(f"AWS refuses the credentials of this process ({clean(code, 60)})") from None
            if everywhere or code in _DENIED:
                self._note(action, code, error)
        except NoCredentialsError as error:
            raise CannotDiscover(f"{aws.NO_CREDENTIALS} ({aws.why(error)})") from None
        except BotoCoreError as error:
            if everywhere:
                self._add(Unseen(action, f"AWS is not to be reached ({type(error).__name__})"))
        return None

    def _note(self, action: str, code: str, error: Any) -> None:
        if code in _DENIED:
            self._add(Unseen(action, f"may not be asked ({clean(code, 60)})", action))
        elif code in _THROTTLED:
            self._add(Unseen(action, f"AWS throttled it {ATTEMPTS} times over: ask again, or with a filter"))
        else:
            self._add(Unseen(action, f"AWS says {clean(code, 60)} to {clean(str(error.operation_name), 60)}"))

    def _add(self, unseen: Unseen) -> None:
        if unseen not in self.unseen:
            self.unseen.append(unseen)


def smallest_policy(actions: Iterable[str], region: str) -> str:
    """An IAM policy in JSON that allows these actions and no more."""
    statements: list[dict[str, Any]] = []
    wanted = sorted(set(actions))
    gateway = [each for each in wanted if each.startswith("apigateway:")]
    others = [each for each in wanted if each not in gateway]
    if others:
        statements.append({"Effect": "Allow", "Action": others, "Resource": "*"})
    if gateway:
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
        start = f"arn:{partition}:apigateway:{region}::"
        paths = [f"{start}{each}" for each in ("/restapis", "/restapis/*", "/apis", "/apis/*")]
        statements.append({"Effect": "Allow", "Action": gateway, "Resource": paths})
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=2)
