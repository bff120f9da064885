"""E-mail: one message per notice through a mail server, as text and HTML, in threads that mail clients show as such."""

import asyncio
import logging
import re
import smtplib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import Address, HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from checks.text import clean
from prober import values
from prober.incidents.notice import Notice
from prober.net.failures import NetError
from prober.notifiers.contract import (
    ChannelSettings,
    NotifyError,
    Reference,
    Tools,
    secret_behind,
    to_mend,
    unanswered,
)
from prober.notifiers.forms import bounded, page, plain_text

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""For the whole conversation after the connection, whatever it consists of."""

SUBJECT_LIMIT: Final = 200


def _header_kinds() -> HeaderRegistry:
    """The usual ones, and ids in two more headers: as plain text, one longer than a line would be encoded, and match no
    other."""
    kinds = HeaderRegistry()
    for name in ("in-reply-to", "references"):
        kinds.map_to_type(name, MessageIDHeader)  # type: ignore[arg-type]  # it need not be derived from BaseHeader
    return kinds


_ONLY_ASCII: Final = SMTP.clone(cte_type="7bit", header_factory=_header_kinds())
"""Servers without 8BITMIME take it, too (RFC 6152)."""
# RFC 5321 section 4.1.2, without quoted local parts, and RFC 5321 section 4.5.3.1 for the lengths.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_ADDRESS_LIMIT: Final = 254
_TOO_LARGE: Final = 552
_FOR_ITS_CONTENT: Final = re.compile(r"5\.(?:3\.4|6\.[0-9]+)\b")
"""Enhanced status codes for a message that is too large or cannot be read (RFC 3463 sections 3.4 and 3.7)."""
_READY: Final = 220
_FOR_GOOD: Final = 500
"""From here on a reply means "not like this" instead of "not now" (RFC 5321 section 4.2.1)."""
_REMEMBERED: Final = 100


class Tls(StrEnum):
    """How the conversation with a mail server is protected."""

    STARTTLS = "starttls"
    IMPLICIT = "implicit"
    NONE = "none"


_PORTS: Final = {Tls.STARTTLS: 587, Tls.IMPLICIT: 465, Tls.NONE: 25}
"""RFC 6409 section 3.1, RFC 8314 section 7.3, RFC 5321 section 4.5.4.2."""


def _address(text: str) -> str:
    if len(text) > _ADDRESS_LIMIT or not _ADDRESS.fullmatch(text):
        raise PydanticCustomError("address", "is not a mail address, such as alerts@example.com")
    return text


def _host(text: str) -> str:
    try:
        values.host_port(f"[{text}]:25" if ":" in text else f"{text}:25")
    except values.Refused:
        raise PydanticCustomError("host", "is not the name of a host, such as smtp.example.com") from None
    return text


MailAddress = Annotated[str, AfterValidator(_address)]


class EmailSettings(ChannelSettings):
    """Which server takes the messages, and who gets them."""

    host: Annotated[str, AfterValidator(_host)] = Field(description="The mail server that takes the messages.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Its port; 587 for starttls, 465 for implicit, 25 for none."
    )
    tls: Tls = Field(
        default=Tls.STARTTLS, description="starttls, implicit, or none: without protection. Never less than it says."
    )
    username: str | None = Field(default=None, min_length=1, max_length=320, description="Name to log in with.")
    password: Reference | None = Field(default=None, description="Reference to the password to log in with.")
    sender: MailAddress = Field(alias="from", description="Address that the messages come from.")
    to: list[MailAddress] = Field(min_length=1, max_length=50, description="Addresses that they go to.")

    @model_validator(mode="after")
    def _login_is_whole(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise PydanticCustomError("login", "username and password belong together: give both, or neither")
        return self

    @property
    def at_port(self) -> int:
        return self.port or _PORTS[self.tls]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message, and how to hand it to the server."""

    content: bytes
    sender: str
    recipients: tuple[str, ...]
    host: str
    login: tuple[str, str] | None


Refusals = dict[str, tuple[int, bytes]]
"""The server's answers by recipient, for those that it does not take."""
_NOT_ASKED: Final = (421, b"the conversation ended before")
Submit = Callable[["Conversation", Letter], Refusals]


class Email:
    """E-mail through a mail server (SMTP), in threads."""

    kind: ClassVar[str] = "email"
    settings: ClassVar[type[ChannelSettings]] = EmailSettings

    def __init__(self, settings: EmailSettings, tools: Tools, submit: Submit) -> None:
        self._settings = settings
        self._tools = tools
        self._submit = submit
        self._reached: OrderedDict[UUID, frozenset[str]] = OrderedDict()
        """By notice: who needs it no more, where the server has put others off."""
        self._hopeless: set[str] = set()
        """Recipients of whose refusal the log has told."""

    @classmethod
    def build(cls, settings: EmailSettings, tools: Tools) -> Self:
        return cls(settings, tools, submit)

    async def send(self, notice: Notice) -> None:
        """Raises NotifyError while the server takes it for nobody, or puts somebody off. Recipients whom it refuses
        for good beside others that it takes are logged, and hold nobody up."""
        reached = self._reached.get(notice.id, frozenset())
        left = tuple(each for each in self._settings.to if each not in reached)
        refused = await self._hand_over(notice, left)
        reached |= frozenset(left) - refused.keys()
        if not reached:
            raise _not_for(refused)
        put_off = {each: answer for each, answer in refused.items() if answer[0] < _FOR_GOOD}
        hopeless = refused.keys() - put_off.keys()
        self._tell_of({each: refused[each] for each in hopeless})
        if put_off:
            self._remember(notice.id, reached | hopeless)
            raise _not_for(put_off)
        self._reached.pop(notice.id, None)

    def _tell_of(self, hopeless: Refusals) -> None:
        for each in sorted(hopeless.keys() - self._hopeless):
            code, said = hopeless[each]
            log.error("mail to %s is lost, to the others it goes: the server says %d %s", each, code, _said(said))
        self._hopeless |= hopeless.keys()

    def _remember(self, notice: UUID, reached: frozenset[str]) -> None:
        self._reached[notice] = reached
        while len(self._reached) > _REMEMBERED:
            self._reached.popitem(last=False)

    async def _hand_over(self, notice: Notice, recipients: tuple[str, ...]) -> Refusals:
        settings = self._settings
        login = None
        if settings.username is not None and settings.password is not None:
            login = (settings.username, await secret_behind(self._tools, settings.password))
        letter = Letter(
            content=message(notice, settings, self._tools.public_url).as_bytes(policy=_ONLY_ASCII),
            sender=settings.sender,
            recipients=recipients,
            host=settings.host,
            login=login,
        )
        try:
            conversation = await self._open(confidential=settings.tls is Tls.NONE and login is not None)
        except NetError as failed:
            raise unanswered(failed.error, failed.error.detail) from None
        return await self._converse(conversation, letter)

    async def _open(self, *, confidential: bool) -> "Conversation":
        """A password goes to a public address over TLS alone."""
        settings, net = self._settings, self._tools.net
        context = None if settings.tls is Tls.NONE else net.mail_trust()
        sock = await net.open_socket(settings.host, settings.at_port, confidential=confidential)
        return Conversation(sock, settings.tls, context)

    async def _converse(self, conversation: "Conversation", letter: Letter) -> Refusals:
        loop = asyncio.get_running_loop()
        talk = loop.run_in_executor(self._tools.executor, self._submit, conversation, letter)
        talk.add_done_callback(lambda done: done.cancelled() or done.exception())  # marks it as seen
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await asyncio.shield(talk)
        except TimeoutError:
            raise NotifyError(f"the mail server was not done in {TIMEOUT_S:g} s", permanent=False) from None
        except smtplib.SMTPRecipientsRefused as failed:  # nobody got it, nor were all of them asked for
            return {each: failed.recipients.get(each, _NOT_ASKED) for each in letter.recipients}
        except (smtplib.SMTPException, OSError) as failed:
            raise _refused(failed) from None
        finally:
            conversation.abort()


class Conversation(smtplib.SMTP):
    """SMTP over a connection that stands already, which another thread may cut."""

    def __init__(self, sock: socket.socket, tls: Tls, context: ssl.SSLContext | None) -> None:
        sock.settimeout(TIMEOUT_S)
        self._given = sock
        self._cut = sock.dup()  # TLS takes the socket over, and leaves no way to it before its handshake is done
        self.tls = tls
        self.context = context
        super().__init__(local_hostname=_literal(sock), timeout=TIMEOUT_S)

    def begin(self, host: str) -> None:
        """Greet and protect. Raises what smtplib and ssl raise."""
        self._host = host  # what smtplib checks the certificate for
        self.sock = self._given
        if self.tls is Tls.IMPLICIT and self.context is not None:
            self.sock = self.context.wrap_socket(self._given, server_hostname=host)
        self.file = None
        code, greeting = self.getreply()
        if code != _READY:
            raise smtplib.SMTPConnectError(code, greeting)
        if self.tls is Tls.STARTTLS and self.context is not None:
            self.starttls(context=self.context)

    def abort(self) -> None:
        """Cut the connection, whatever it waits for. From another thread, once."""
        with suppress(OSError):  # it is cut already
            self._cut.shutdown(socket.SHUT_RDWR)
        self._cut.close()


def submit(conversation: Conversation, letter: Letter) -> Refusals:
    """Hand a letter over, in a thread: returns after the server's final reply, with the recipients that it refused.

    Raises what smtplib and ssl raise.
    """
    try:
        conversation.begin(letter.host)
        if letter.login is not None:
            _log_in(conversation, letter.login)
        refused: Refusals = conversation.sendmail(letter.sender, letter.recipients, letter.content)
        with suppress(smtplib.SMTPException, OSError):  # the letter is taken; how the server parts is nothing to us
            conversation.putcmd("quit")
    finally:
        conversation.close()
    return refused


def message(notice: Notice, settings: EmailSettings, public_url: str | None) -> EmailMessage:
    """The message, with the same id for the same notice however often it is sent. What reaches a header holds no line
    break, nor one in an encoded word (RFC 2047), which `EmailMessage` of some Pythons would write out as it is."""
    notice = bounded(notice)
    domain = settings.sender.rpartition("@")[2]
    thread = f"<{notice.thread}@{domain}>"
    mail = EmailMessage(policy=_ONLY_ASCII)
    mail["From"] = Address("mcp-prober", addr_spec=settings.sender)
    mail["To"] = tuple(Address(addr_spec=each) for each in settings.to)
    mail["Subject"] = clean(notice.title.replace("=?", "= ?"), SUBJECT_LIMIT)  # or encoded words would be decoded
    mail["Date"] = format_datetime(notice.at)
    mail["Message-ID"] = f"<{notice.id}@{domain}>"
    mail["In-Reply-To"] = thread  # nobody has that message; clients thread by it all the same
    mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 section 5: no vacation notice comes back
    mail.set_content(plain_text(notice, public_url), cte="quoted-printable")
    mail.add_alternative(page(notice, public_url), subtype="html", cte="quoted-printable")
    return mail


def _literal(sock: socket.socket) -> str:
    """What we call ourselves: an address literal (RFC 5321 section 4.1.3), which needs no name lookup."""
    address = str(sock.getsockname()[0])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _log_in(conversation: Conversation, login: tuple[str, str]) -> None:
    """The server's words are left out of what is raised: they may repeat what we said."""
    try:
        conversation.login(*login)
    except smtplib.SMTPResponseException as refused:
        raise smtplib.SMTPAuthenticationError(refused.smtp_code, b"the login was refused") from None
    except UnicodeEncodeError:
        raise smtplib.SMTPNotSupportedError("the login is not ASCII, which SMTP wants") from None


def _refused(failed: Exception) -> NotifyError:
    """The error for what a conversation ended with."""
    if isinstance(failed, smtplib.SMTPResponseException):
        return _answered(failed)
    if isinstance(failed, smtplib.SMTPNotSupportedError):
        return to_mend(f"the mail server cannot do what is needed: {clean(str(failed), 200)}")
    if isinstance(failed, ssl.SSLCertVerificationError):
        return to_mend(f"the mail server's certificate is not believed: {clean(failed.verify_message, 200)}")
    return NotifyError(f"the mail server broke off: {_words(failed)}", permanent=False)


def _answered(failed: smtplib.SMTPResponseException) -> NotifyError:
    code, said = failed.smtp_code, _said(failed.smtp_error)
    is_content = isinstance(failed, smtplib.SMTPDataError) and (
        code == _TOO_LARGE or _FOR_ITS_CONTENT.match(said) is not None
    )
    return NotifyError(
        f"the mail server says {code} {said}",
        permanent=is_content,
        needs_mending=code >= _FOR_GOOD and not is_content,
    )


def _not_for(refused: Refusals) -> NotifyError:
    """Waits for a person only where nobody is left whom patience would help."""
    code, said = min(refused.values(), key=lambda answer: answer[0])
    reason = f"the mail server says {code} {_said(said)} of {clean(', '.join(sorted(refused)), 200)}"
    return NotifyError(reason, permanent=False, needs_mending=code >= _FOR_GOOD)


def _said(answer: Any) -> str:
    text = answer.decode("utf-8", "backslashreplace") if isinstance(answer, bytes) else str(answer)
    return clean(text, 200)


def _words(failed: Exception) -> str:
    return clean(getattr(failed, "strerror", None) or str(failed) or type(failed).__name__, 200)
