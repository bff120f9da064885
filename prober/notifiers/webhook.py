"""A webhook of one's own: versioned JSON, signed as Standard Webhooks specifies.

Standard Webhooks, "Signature scheme" and "Webhook headers": HMAC-SHA256 over `id.timestamp.body`, the secret being 24
to 64 random bytes in base64 behind `whsec_`; while a secret is replaced, a signature with each, a space between.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, Final, Self

from pydantic import Field

from prober.incidents.notice import Notice
from prober.notifiers.contract import ChannelSettings, Reference, Tools, refusal, secret_behind, to_mend
from prober.notifiers.forms import bounded, versioned
from prober.notifiers.posting import encoded, is_taken, post, url_behind

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)


class WebhookSettings(ChannelSettings):
    """Where the JSON goes, and what it is signed with."""

    url: Reference = Field(description="Reference to the address, which may be a secret.")
    secret: Reference = Field(
        description="Reference to the signing secret: whsec_ and 24 to 64 random bytes in base64."
    )
    previous_secret: Reference | None = Field(
        default=None, description="The secret before, while it is being replaced: both then sign."
    )


class Webhook:
    """Versioned JSON posted to an address of your own, signed as Standard Webhooks specifies."""

    kind: ClassVar[str] = "webhook"
    settings: ClassVar[type[ChannelSettings]] = WebhookSettings

    def __init__(self, settings: WebhookSettings, tools: Tools) -> None:
        self._settings = settings
        self._tools = tools

    @classmethod
    def build(cls, settings: WebhookSettings, tools: Tools) -> Self:
        return cls(settings, tools)

    async def send(self, notice: Notice) -> None:
        url = await url_behind(self._tools, self._settings.url)
        references = (self._settings.secret, self._settings.previous_secret)
        keys = [key_of(await secret_behind(self._tools, each), each) for each in references if each is not None]
        content = encoded(versioned(bounded(notice), self._tools.public_url))
        at = int(self._tools.clock.now().timestamp())
        headers = signed_headers(str(notice.id), at, content, keys)
        outcome = await post(self._tools, url, content, hide=self._settings.url, headers=headers)
        if not is_taken(outcome.status):
            raise refusal(outcome.status or 0, _phrase(outcome.status), outcome.retry_after_s)


def key_of(secret: str, reference: str) -> bytes:
    """The key in a signing secret. Raises NotifyError for what receivers would read in another way, or not at all."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES:
        raise to_mend(
            f"{reference} does not hold a signing secret: put whsec_ and 24 to 64 random bytes in base64 there, "
            "such as from: openssl rand -base64 32"
        )
    return key


def signed_headers(identity: str, at: int, content: bytes, keys: Sequence[bytes]) -> list[tuple[str, str]]:
    """The headers of Standard Webhooks: the id stays the same however often it is sent, `at` is this try's time in
    seconds of the Unix epoch."""
    told = f"{identity}.{at}.".encode("ascii") + content
    signatures = (base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode("ascii") for key in keys)
    return [
        ("webhook-id", identity),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", " ".join(f"v1,{each}" for each in signatures)),
    ]


def _phrase(status: int | None) -> str:
    """The status in words. What the answer says is not repeated: it may echo the address, whole or cut short."""
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return "an unknown status"
