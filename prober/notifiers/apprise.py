"""Every other service, through Apprise, which is an extra.

Apprise blocks and connects by itself, outside the guard that all other traffic passes. The address is the owner's own.
"""

import asyncio
import importlib
import importlib.util
import logging
import re
from typing import Any, ClassVar, Final, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from prober.incidents.notice import Notice
from prober.incidents.rules import Severity
from prober.notifiers.contract import ChannelSettings, NotifyError, Reference, Tools, secret_behind, to_mend
from prober.notifiers.forms import bounded, plain_text

TIMEOUT_S: Final = 11.0
_EXTRA: Final = "pip install 'mcp-prober[apprise]'"
_CALLS: Final = re.compile(r"@(?=\w)|<(?=[!@#&])")
"""Beginnings of mentions, as Discord, Slack, Mattermost, Telegram and others read them; a space ends them."""
_TYPES: Final = {Severity.CRITICAL: "failure", Severity.WARNING: "warning", Severity.INFO: "info"}


class AppriseSettings(ChannelSettings):
    """Which service."""

    url: Reference = Field(description="Reference to the Apprise URL of the service, which is a secret.")

    @model_validator(mode="after")
    def _is_installed(self) -> Self:
        if importlib.util.find_spec("apprise") is None:
            raise PydanticCustomError("extra", "needs Apprise, which is not installed: run {extra}", {"extra": _EXTRA})
        return self


class Apprise:
    """Messages to any of the services that Apprise knows; needs the extra `mcp-prober[apprise]`."""

    kind: ClassVar[str] = "apprise"
    settings: ClassVar[type[ChannelSettings]] = AppriseSettings

    def __init__(self, settings: AppriseSettings, tools: Tools) -> None:
        self._reference = settings.url
        self._tools = tools
        self._sending: asyncio.Future[bool | None] | None = None

    @classmethod
    def build(cls, settings: AppriseSettings, tools: Tools) -> Self:
        return cls(settings, tools)

    async def send(self, notice: Notice) -> None:
        if self._sending is not None and not self._sending.done():
            # A service that hangs must not take one thread after another.
            raise NotifyError("Apprise still sends the notice before", permanent=False)
        url = await secret_behind(self._tools, self._reference)
        prepared = message(notice, self._tools.public_url)
        loop = asyncio.get_running_loop()
        self._sending = loop.run_in_executor(self._tools.executor, _send, url, prepared)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                taken = await asyncio.shield(self._sending)
        except TimeoutError:
            raise NotifyError(f"Apprise: no answer in {TIMEOUT_S:g} s", permanent=False) from None
        if taken is None:
            raise to_mend(f"{self._reference} does not hold a URL that Apprise knows")
        if not taken:
            raise NotifyError("Apprise could not deliver it, and does not say why", permanent=False)


def message(notice: Notice, public_url: str | None) -> dict[str, Any]:
    """What Apprise is told. Remote text calls nobody: chats would ring everyone at `@everyone` or `<!channel>`."""
    notice = bounded(notice)
    return {
        "title": _CALLS.sub(r"\g<0> ", notice.title),
        "body": _CALLS.sub(r"\g<0> ", plain_text(notice, public_url)),
        "notify_type": "success" if notice.is_end else _TYPES[notice.severity],
        "body_format": "text",
        "interpret_escapes": False,
    }


def _send(url: str, prepared: dict[str, Any]) -> bool | None:
    """In a thread. Whether the service took it; None for an address that Apprise does not know."""
    apprise = importlib.import_module("apprise")
    # Its log quotes addresses and answers.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True)
    service = apprise.Apprise(asset=asset)
    try:
        if not service.add(url):
            return None
        return bool(service.notify(**prepared))
    except Exception:  # a plugin's own exception may quote the address
        return False
