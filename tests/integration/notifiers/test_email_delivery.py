"""To a real mail server on loopback, with TLS as it comes."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from prober.incidents.notice import Notice, NoticeKind
from prober.net.guard import GuardPolicy
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.email import TIMEOUT_S, Email, EmailSettings
from tests.integration.notifiers.rules import letter_fault, text_of
from tests.integration.notifiers.sink import MailSink, open_mail_sink
from tests.integration.wire.scripted import Certificates

PASSWORD = "s3cr3t"
LOGIN = ("prober", PASSWORD)
THREADS = 4
"""Of the executor."""


@pytest.fixture
def email(open_tools: Callable[..., Tools]) -> Callable[..., Email]:
    """Opens a channel to a mail server."""

    def opened(sink: MailSink, policy: GuardPolicy | None = None, **options: Any) -> Email:
        options = {"host": sink.host, "port": sink.port, "from": "alerts@example.com", **options}
        options.setdefault("to", ["ops@example.com"])
        return Email.build(EmailSettings.model_validate(options), open_tools(policy, PASSWORD=PASSWORD))

    return opened


async def test_a_letter_is_taken_over_tls_after_the_login(
    email: Callable[..., Email], make_notice: Callable[..., Notice], certificates: Certificates, trusted: Path
) -> None:
    protected = {"username": "prober", "password": "env:PASSWORD"}
    for tls in ("starttls", "implicit"):
        with open_mail_sink(**{tls: certificates.server()}, login=LOGIN) as sink:
            await email(sink, tls=tls, **protected).send(make_notice())
        ((recipients, content),) = sink.letters
        assert recipients == ["ops@example.com"]
        assert letter_fault(content) == ""
        assert sink.protected == [True]


async def test_a_letter_says_what_it_is_about_in_text_and_html(
    email: Callable[..., Email], make_notice: Callable[..., Notice]
) -> None:
    with open_mail_sink() as sink:
        await email(sink, tls="none").send(make_notice(title="örders <b>is</b> down"))
    letter = message_from_bytes(sink.letters[0][1])
    text, page = map(text_of, letter.get_payload())
    assert text.startswith("örders <b>is</b> down\n\nNew incident · critical · down\n\nIt answers, but not with MCP")
    assert "Open the probe: https://prober.example/probes/9" in text
    assert "Evidence: a body of &lt;html&gt;" in page
    assert '<a href="https://prober.example/probes/9">Open the probe</a>' in page
    assert letter["Auto-Submitted"] == "auto-generated"


async def test_the_letters_of_an_incident_are_one_thread_and_one_that_comes_twice_has_the_same_id(
    email: Callable[..., Email], make_notice: Callable[..., Notice]
) -> None:
    with open_mail_sink() as sink:
        channel = email(sink, tls="none")
        await channel.send(make_notice())
        await channel.send(make_notice())
        await channel.send(make_notice(id=UUID(int=10), kind=NoticeKind.CLOSED))
    opened, again, closed = (message_from_bytes(content) for _, content in sink.letters)
    assert opened["Message-ID"] == again["Message-ID"] != closed["Message-ID"]
    assert opened["References"] == closed["References"] == closed["In-Reply-To"] == f"<{UUID(int=8)}@example.com>"


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_that_nobody_vouches_for_gets_no_letter_and_waits_for_somebody(
    email: Callable[..., Email], make_notice: Callable[..., Notice], certificates: Certificates, tls: str, trusted: Path
) -> None:
    for context in (
        certificates.self_signed(),
        certificates.server(name="elsewhere"),
        certificates.server(expired=True),
    ):
        with open_mail_sink(**{tls: context}) as sink:
            with pytest.raises(NotifyError, match="certificate is not believed") as caught:
                await email(sink, tls=tls).send(make_notice())
            assert (caught.value.permanent, caught.value.needs_mending) == (False, True)
        assert sink.letters == []


async def test_a_server_without_starttls_gets_nothing_in_plain_text(
    email: Callable[..., Email], make_notice: Callable[..., Notice]
) -> None:
    with open_mail_sink() as sink:
        with pytest.raises(NotifyError, match="STARTTLS extension not supported") as caught:
            await email(sink).send(make_notice())
        assert caught.value.needs_mending
    assert sink.letters == []


async def test_a_password_goes_to_a_public_address_over_tls_alone(
    email: Callable[..., Email], make_notice: Callable[..., Notice]
) -> None:
    channel = email(MailSink("8.8.8.8", 25), tls="none", username="prober", password="env:PASSWORD")
    with pytest.raises(
        NotifyError, match="a secret would go in plain text; use https or another form of TLS"
    ) as caught:
        await channel.send(make_notice())
    assert caught.value.needs_mending


@pytest.mark.parametrize(("host", "said"), [("169.254.169.254", "metadata"), ("127.0.0.1", "loopback")])
async def test_the_guard_judges_mail_servers_too(
    email: Callable[..., Email], make_notice: Callable[..., Notice], host: str, said: str
) -> None:
    with pytest.raises(NotifyError, match=said) as caught:
        await email(MailSink(host, 25), GuardPolicy(), tls="none").send(make_notice())
    assert (caught.value.permanent, caught.value.needs_mending) == (False, True)


@pytest.mark.parametrize(
    ("answers", "permanent", "needs_mending"),
    [
        ({"MAIL": ["451 4.7.1 come back later"]}, False, False),
        ({"MAIL": ["550 5.7.1 not from you"]}, False, True),
        ({"ops@example.com": ["450 4.2.0 greylisted"]}, False, False),
        ({"ops@example.com": ["550 5.1.1 nobody here"]}, False, True),
        ({"ops@example.com": ["421 4.3.2 closing"]}, False, False),
        ({"DATA": ["452 4.3.1 no room"]}, False, False),
        ({"DATA": ["554 5.7.1 looks like spam"]}, False, True),
        ({"DATA": ["554 5.6.0 cannot be read"]}, True, False),
        ({"DATA": ["552 5.3.4 too large"]}, True, False),
    ],
)
async def test_success_is_the_servers_final_word_and_everything_else_is_judged_by_its_code(
    email: Callable[..., Email],
    make_notice: Callable[..., Notice],
    answers: dict[str, list[str]],
    permanent: bool,
    needs_mending: bool,
) -> None:
    with open_mail_sink() as sink:
        sink.answers = answers
        channel = email(sink, tls="none")
        with pytest.raises(NotifyError, match=r"the mail server says \d{3} \d\.") as caught:
            await channel.send(make_notice())
        assert (caught.value.permanent, caught.value.needs_mending) == (permanent, needs_mending)
        assert sink.letters == []
        await channel.send(make_notice())
    assert len(sink.letters) == 1


async def test_a_wrong_password_waits_for_somebody_and_is_not_repeated(
    email: Callable[..., Email], make_notice: Callable[..., Notice], certificates: Certificates, trusted: Path
) -> None:
    with open_mail_sink(starttls=certificates.server(), login=("prober", "another")) as sink:
        with pytest.raises(NotifyError, match=r"^the mail server says 535 the login was refused$") as caught:
            await email(sink, username="prober", password="env:PASSWORD").send(make_notice())
        assert caught.value.needs_mending


async def test_a_recipient_who_is_put_off_gets_it_later_and_the_others_once(
    email: Callable[..., Email], make_notice: Callable[..., Notice], caplog: pytest.LogCaptureFixture
) -> None:
    people = ["first@example.com", "second@example.com", "gone@example.com"]
    with open_mail_sink() as sink:
        sink.answers = {"second@example.com": ["450 4.2.0 greylisted"], "gone@example.com": ["550 5.1.1 nobody"] * 9}
        channel = email(sink, tls="none", to=people)
        with pytest.raises(NotifyError, match=r"says 450 4\.2\.0 greylisted of second@example\.com") as caught:
            await channel.send(make_notice())
        assert not caught.value.needs_mending
        await channel.send(make_notice())
        await channel.send(make_notice(id=UUID(int=10)))
    assert [recipients for recipients, _ in sink.letters] == [["first@example.com"], ["second@example.com"], people[:2]]
    assert [each.levelno for each in caplog.records if "gone@example.com" in each.message] == [logging.ERROR]


async def test_a_server_that_stalls_holds_no_thread_once_delivery_has_given_up(
    email: Callable[..., Email], make_notice: Callable[..., Notice], executor: ThreadPoolExecutor
) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220-slow\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    slow = MailSink("127.0.0.1", server.sockets[0].getsockname()[1])
    sending = [asyncio.create_task(email(slow, tls="none").send(make_notice())) for _ in range(THREADS)]
    done, _ = await asyncio.wait(sending, timeout=0.3)
    assert not done
    for each in sending:
        each.cancel()
    async with asyncio.timeout(TIMEOUT_S / 2):  # less than the patience of a conversation
        await asyncio.get_running_loop().run_in_executor(executor, int)
    server.close()
