"""Asks AWS one call at a time; what is refused is named with the permission that would allow it.

Every call blocks. Throttling is met by the retries of the clients, so that a large account is slow and not incomplete.
A service that cannot be reached is given up soon, and is not asked again.
"""

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from checks.text import clean
from prober.secrets import aws

CONNECT_S: Final = 5.0
READ_S: Final = 20.0
ATTEMPTS: Final = 8
TRIES_TO_REACH: Final = 3
"""After so many connections that came to nothing, a call is given up."""

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

_UNKNOWN_CALLER: Final = frozenset({"InvalidClientTokenId", "UnrecognizedClientException"})
"""What a Region says that the account has not enabled (AWS Account Management, "Enable or disable AWS Regions")."""

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


class Account:
    """The AWS account of this process: one configuration for all its Regions, whose clients any thread may ask for."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._session: Any = None

    def client(self, service: str, region: str, config: Any) -> Any:
        """The client of a service in a Region. Raises CannotDiscover."""
        from botocore.exceptions import BotoCoreError

        with self._making:  # making clients is the part of boto3 that threads must not do at once
            try:
                if self._session is None:
                    self._session = aws.session()
                made = self._session.client(service, region_name=region, config=config)
            except BotoCoreError as error:
                raise CannotDiscover(f"{aws.NO_CREDENTIALS} ({aws.why(error)})") from None
        made.meta.events.register_first("needs-retry", give_up)
        return made


class RegionClients:
    """Clients for one Region, patient and throttling-safe."""

    def __init__(self, region: str, account: Account | None = None) -> None:
        from botocore.config import Config

        aws.silence()
        self._account = account or Account()
        self._region = region
        patience = {"mode": "standard", "total_max_attempts": ATTEMPTS}
        self._patient = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries=patience)
        self._quick = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 2})

    def client(self, service: str) -> Any:
        """The client of a service. Raises CannotDiscover."""
        config = self._quick if service in _NOT_EVERYWHERE else self._patient
        return self._account.client(service, self._region, config)


def give_up(attempts: int, caught_exception: Exception | None, **_: Any) -> None:
    """Ends the retries of botocore where nothing answers: its patience is for throttling."""
    from botocore.exceptions import ConnectionError as CannotConnect
    from botocore.exceptions import HTTPClientError

    if attempts >= TRIES_TO_REACH and isinstance(caught_exception, (CannotConnect, HTTPClientError)):
        raise caught_exception


class Asker:
    """Asks through clients, and remembers what could not be seen."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._made: dict[str, Any] = {}
        self._answered = False
        self._away: dict[str, str] = {}
        self.unseen: list[Unseen] = []

    def is_away(self, service: str) -> bool:
        """Whether nothing answers where the service should be."""
        return service in self._away

    def all_of(
        self, service: str, operation: str, key: str, action: str, *, everywhere: bool = True, **asked: Any
    ) -> list[Mapping[str, Any]]:
        """The items of a paginated list, as far as it may be read. Raises CannotDiscover.

        A service that is not everywhere is not missed where it cannot be reached.
        """
        found: list[Mapping[str, Any]] = []

        def ask() -> None:
            pages = self._client(service).get_paginator(operation).paginate(**asked)
            found.extend(each for each in pages.search(key) if isinstance(each, dict))

        self._try(service, action, ask, everywhere=everywhere)
        return found

    def one(
        self, service: str, operation: str, action: str, *, absent: Iterable[str] = (), **asked: Any
    ) -> Mapping[str, Any] | None:
        """One answer; None where it may not be read, empty where AWS says that there is none (codes `absent`)."""
        answer = self._try(
            service, action, lambda: getattr(self._client(service), operation)(**asked), frozenset(absent)
        )
        return None if answer is None else dict(answer)

    def _client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._clients.client(service)
        return self._made[service]

    def _try(
        self,
        service: str,
        action: str,
        ask: Callable[[], Any],
        absent: frozenset[str] = frozenset(),
        *,
        everywhere: bool = True,
    ) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        if service in self._away:
            self._miss(action, self._away[service], everywhere=everywhere)
            return None
        try:
            answer = ask()
        except ClientError as error:
            code = aws.code_of(error.response)
            if code in absent:
                return {}
            self._refuse_strangers(code)
            if everywhere or code in _DENIED:
                self._note(action, code, error)
            return None
        except (BotoCoreError, ResponseParserError) as error:
            self._miss(action, self._why_lost(service, error), everywhere=everywhere)
            return None
        self._answered = True
        return answer

    def _miss(self, action: str, why: str, *, everywhere: bool) -> None:
        if everywhere:
            self._add(Unseen(action, why))

    def _refuse_strangers(self, code: str) -> None:
        """Raise CannotDiscover where AWS knows the caller nowhere; one service alone costs none of the others."""
        if code in _OWN_CREDENTIALS and not self._answered:
            hint = ", as a Region does that the account has not enabled" if code in _UNKNOWN_CALLER else ""
            raise CannotDiscover(f"AWS refuses the credentials of this process ({clean(code, 60)}){hint}")
        self._answered = True

    def _why_lost(self, service: str, error: Exception) -> str:
        """Why there is no answer. Remembers a service that is not there. Raises CannotDiscover."""
        from botocore.exceptions import BotoCoreError, HTTPClientError
        from botocore.exceptions import ConnectionError as CannotConnect

        name = clean(type(error).__name__, 60)
        if isinstance(error, (CannotConnect, HTTPClientError)):
            self._away[service] = f"AWS is not to be reached ({name})"
            return self._away[service]
        if aws.is_of_credentials(error) and not self._answered:
            raise CannotDiscover(f"{aws.NO_CREDENTIALS} ({aws.why(error)})")
        asked = isinstance(error, BotoCoreError)
        return f"it was not asked ({name})" if asked else f"what came is no answer of AWS ({name})"

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
