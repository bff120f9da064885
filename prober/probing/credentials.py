"""What proves to an endpoint who asks: headers and signatures, made at probe time and never earlier.

Reasons that this adds to those of an exchange that we could not begin:
    observer         secret, aws-credentials, aws-region, aws-away, token-endpoint, token-endpoint-blocked
"""

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import urlsplit

from checks.model import Endpoint, OAuth, Opening
from prober import values
from prober.clock import Clock
from prober.net.client import Net
from prober.secrets.references import SecretError, is_reference, is_remote
from prober.secrets.vault import Vault
from prober.wire.auth.oauth import Grant, TokenError, Tokens
from prober.wire.auth.sigv4 import CredentialChain, Keys, SigV4Signer
from prober.wire.redact import SentHeader

BUDGET_S: Final = 5.0
"""How long credentials may take, and never more than half of what is left of the probe's time."""

FUTILE_S: Final = 300.0
"""Pause between two renewals of credentials that stay the same, or are refused again when they are new: each costs a
question to whoever keeps them, and the endpoint one more request that it refuses."""

T = TypeVar("T")


class Unavailable(Exception):
    """Credentials that are not to be had, which says nothing about the endpoint. The text holds no secret."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Access:
    """What the requests of one probe carry."""

    headers: tuple[SentHeader, ...] = ()
    signer: SigV4Signer | None = field(default=None, compare=False)
    keys: Keys | None = None
    """What `signer` signs with."""
    was_kept: bool = field(default=False, compare=False)
    """Whether part of it was obtained for an earlier probe, and may have been replaced or revoked meanwhile."""


class Credentials:
    """Makes the credentials of all endpoints of one process, and keeps what is dear to obtain."""

    def __init__(
        self,
        vault: Vault,
        *,
        net: Net,
        clock: Clock,
        chain: CredentialChain | None = None,
        executor: Executor | None = None,
    ) -> None:
        """`executor` runs what blocks; by default the event loop's own."""
        self._vault = vault
        self._tokens = Tokens(net, clock.monotonic)
        self._clock = clock
        self._chain = chain or CredentialChain()
        self._executor = executor
        self._futile_until: dict[tuple[str, str], float] = {}

    async def access(self, endpoint: Endpoint, *, deadline: float) -> Access:
        """The credentials of an endpoint, well before `deadline`, at which the probe is over on the event loop's clock.

        Raises Unavailable.
        """
        by = _share_of(deadline)
        was_kept = self._is_kept(endpoint)
        headers = await _timely(self._headers(endpoint), by, "secret", "the endpoint's secrets were not there")
        if endpoint.oauth is not None:
            where = urlsplit(endpoint.oauth.token_url).netloc
            token = self._token(endpoint, endpoint.oauth)
            headers.append(await _timely(token, by, "token-endpoint", f"the token endpoint {where} had not answered"))
        keys, signer = None, None
        if endpoint.sigv4 is not None:
            made = self._signer(endpoint)
            keys, signer = await _timely(made, by, "aws-credentials", "the AWS credentials were not there")
        return Access(tuple(headers), signer, keys, was_kept)

    def may_be_outdated(self, endpoint: Endpoint, access: Access, opening: Opening) -> bool:
        """Whether the endpoint refuses credentials that others might be had for."""
        if opening.established or not access.was_kept:
            return False
        refusals = (401, 403) if endpoint.sigv4 is not None else (401,)
        refused = any(exchange.status in refusals for exchange in opening.exchanges)
        return refused and self._clock.monotonic() >= self._futile_until.get(_key(endpoint), 0.0)

    async def renewed(self, endpoint: Endpoint, refused: Access, *, deadline: float) -> Access | None:
        """Credentials in place of those that were refused, or None where there are no others. Raises Unavailable."""
        by = _share_of(deadline)
        for reference in _references(endpoint):
            await _timely(self._vault.renew(reference), by, "secret", f"{reference} was not there")
        if endpoint.oauth is not None:
            token = refused.headers[-1].value.partition(" ")[2]
            self._tokens.forget(Grant.of(endpoint.oauth, endpoint.url), token)
        if endpoint.sigv4 is not None:
            searched = asyncio.get_running_loop().run_in_executor(self._executor, self._chain.renew)
            await _timely(searched, by, "aws-credentials", "the AWS credentials were not there")
        access = await self.access(endpoint, deadline=deadline)
        return access if access != refused else None

    def note_futility(self, endpoint: Endpoint) -> None:
        """There were no others, or they were refused too: none are looked for in a while."""
        now = self._clock.monotonic()
        waiting = {key: until for key, until in self._futile_until.items() if now < until}
        self._futile_until = waiting | {_key(endpoint): now + FUTILE_S}

    def _is_kept(self, endpoint: Endpoint) -> bool:
        grant = None if endpoint.oauth is None else Grant.of(endpoint.oauth, endpoint.url)
        return (
            any(self._vault.holds(reference) for reference in _references(endpoint))
            or (grant is not None and self._tokens.holds(grant))
            or (endpoint.sigv4 is not None and self._chain.is_searched)
        )

    async def _headers(self, endpoint: Endpoint) -> list[SentHeader]:
        origin = values.origin_of(endpoint.url)
        headers = []
        for name, value in endpoint.headers.items():
            if is_reference(value):
                secret = await self._vault.secret(value, origin)
                headers.append(SentHeader(name=name, value=secret, shown=f"${{{value}}}"))
            else:
                headers.append(SentHeader(name=name, value=value, shown=value))
        if endpoint.bearer is not None:
            token = await self._vault.secret(endpoint.bearer, origin)
            headers.append(_bearer(endpoint, token, endpoint.bearer))
        return headers

    async def _token(self, endpoint: Endpoint, oauth: OAuth) -> SentHeader:
        grant = Grant.of(oauth, endpoint.url)
        origins = (values.origin_of(endpoint.url), values.origin_of(oauth.token_url))
        self._vault.permit(oauth.client_secret, *origins)  # for a token that is kept, too

        async def secret() -> str:
            return await self._vault.secret(oauth.client_secret, *origins)

        try:
            token = await self._tokens.token(grant, secret)
        except TokenError as error:
            if not error.refused or not is_remote(oauth.client_secret):
                raise
            before = await secret()
            await self._vault.renew(oauth.client_secret)
            if await secret() == before:
                raise
            token = await self._tokens.token(grant, secret)
        return _bearer(endpoint, token, "ACCESS_TOKEN")

    async def _signer(self, endpoint: Endpoint) -> tuple[Keys, SigV4Signer]:
        assert endpoint.sigv4 is not None
        scope = values.signing_scope(endpoint.url, endpoint.sigv4.service, endpoint.sigv4.region)

        def make() -> tuple[Keys, SigV4Signer]:
            keys = self._chain.keys()
            return keys, SigV4Signer(keys, *scope)

        return await asyncio.get_running_loop().run_in_executor(self._executor, make)


def _bearer(endpoint: Endpoint, token: str, shown: str) -> SentHeader:
    return SentHeader(name=endpoint.token_header, value=f"Bearer {token}", shown=f"Bearer ${{{shown}}}")


def _references(endpoint: Endpoint) -> list[str]:
    """The references of the secrets that are sent to the endpoint itself."""
    found = [value for value in endpoint.headers.values() if is_reference(value)]
    return found if endpoint.bearer is None else [*found, endpoint.bearer]


def _key(endpoint: Endpoint) -> tuple[str, str]:
    return endpoint.name, endpoint.url


def _share_of(deadline: float) -> float:
    """When credentials must be there, on the event loop's clock."""
    now = asyncio.get_running_loop().time()
    return now + min(BUDGET_S, (deadline - now) / 2)


async def _timely(made: Awaitable[T], by: float, reason: str, late: str) -> T:
    """What `made` gives; whatever keeps it from that, time too, becomes `Unavailable`."""
    try:
        async with asyncio.timeout_at(by):
            return await made
    except TimeoutError:
        raise Unavailable(reason, f"{late} when the time for credentials was up") from None
    except SecretError as missing:
        raise Unavailable(missing.reason, str(missing)) from None
    except TokenError as failed:
        raise Unavailable("token-endpoint-blocked" if failed.blocked else "token-endpoint", str(failed)) from None
    except values.Refused as refused:
        raise Unavailable(reason, f"the address {refused.message}: {refused.hint}") from None
