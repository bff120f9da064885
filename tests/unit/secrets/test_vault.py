"""Secrets at probe time: what is asked of AWS, when, and what is used while AWS does not answer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from prober.secrets.allowance import Allowed, AllowList
from prober.secrets.references import SecretError
from prober.secrets.vault import FRESH_S, STALE_S, Vault

SECRET = "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:mcp/orders-AbCdEf"
AWAY = SecretError("AWS is not to be reached", passing=True)
REFUSED = SecretError("AWS says no")


class AtOnce(Executor):
    """Runs each call where it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except SecretError as error:
            future.set_exception(error)
        return future


class Hanging(AtOnce):
    """Does not answer while `hangs`."""

    hangs = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future() if self.hangs else super().submit(fn, *args, **kwargs)


class Aws:
    """A store whose answer a test chooses, and the clock of the vault before it."""

    def __init__(self) -> None:
        self.answer: str | SecretError = '{"token": "one", "number": 5}'
        self.asked: list[str] = []
        self.now = 0.0
        self.executor = Hanging()

    def fetch(self, source: str) -> str:
        self.asked.append(source)
        if isinstance(self.answer, SecretError):
            raise self.answer
        return self.answer

    def vault(self, **settings: Any) -> Vault:
        return Vault(self.executor, fetch=self.fetch, monotonic=lambda: self.now, **settings)


@pytest.fixture
def aws() -> Aws:
    return Aws()


async def test_local_secrets_are_read_every_time(tmp_path: Path) -> None:
    env = {"TOKEN": "a"}
    vault = Vault(AtOnce(), env=env)
    file = tmp_path / "token"
    file.write_text("b\n")
    assert [await vault.secret("env:TOKEN"), await vault.secret(f"file:{file}")] == ["a", "b"]
    env["TOKEN"] = "c"
    file.write_text("d\n")
    assert [await vault.secret("env:TOKEN"), await vault.secret(f"file:{file}")] == ["c", "d"]


async def test_aws_is_asked_once_for_all_keys_and_for_five_minutes(aws: Aws) -> None:
    vault = aws.vault()
    assert await vault.secret(f"{SECRET}#token") == "one"
    aws.now = FRESH_S * 0.79
    assert await vault.secret(f"{SECRET}#token") == "one"
    assert await vault.secret(SECRET) == aws.answer
    assert aws.asked == [SECRET]
    aws.now = FRESH_S
    aws.answer = '{"token": "two"}'
    assert await vault.secret(f"{SECRET}#token") == "two"


async def test_many_probes_at_once_are_one_question(aws: Aws) -> None:
    vault = aws.vault()
    assert set(await asyncio.gather(*(vault.secret(f"{SECRET}#token") for _ in range(20)))) == {"one"}
    assert len(aws.asked) == 1


async def test_an_old_secret_is_used_for_an_hour_while_aws_is_away(aws: Aws) -> None:
    vault = aws.vault()
    await vault.secret(f"{SECRET}#token")
    aws.answer = AWAY
    for now in (FRESH_S, STALE_S - 1):
        aws.now = now
        assert await vault.secret(f"{SECRET}#token") == "one"
    aws.now = STALE_S
    with pytest.raises(SecretError, match="not to be reached"):
        await vault.secret(f"{SECRET}#token")


async def test_a_secret_that_nobody_may_use_any_more_is_not_kept(aws: Aws) -> None:
    vault = aws.vault()
    await vault.secret(SECRET)
    aws.now = STALE_S
    await vault.secret("aws-ssm:/mcp/billing")
    assert not vault.holds(SECRET)


async def test_while_aws_is_away_it_is_not_asked_by_every_probe(aws: Aws) -> None:
    vault = aws.vault()
    await vault.secret(f"{SECRET}#token")
    aws.answer = AWAY
    aws.now = FRESH_S
    for _ in range(10):
        await vault.secret(f"{SECRET}#token")
    assert len(aws.asked) == 2


async def test_an_old_secret_is_not_used_when_aws_says_no(aws: Aws) -> None:
    vault = aws.vault()
    await vault.secret(f"{SECRET}#token")
    aws.answer, aws.now = REFUSED, FRESH_S
    with pytest.raises(SecretError, match="AWS says no"):
        await vault.secret(f"{SECRET}#token")


async def test_who_has_an_old_secret_does_not_wait_for_an_aws_that_hangs(aws: Aws) -> None:
    vault = aws.vault(wait_s=0)
    await vault.secret(f"{SECRET}#token")
    aws.executor.hangs, aws.now = True, FRESH_S
    assert await vault.secret(f"{SECRET}#token") == "one"


async def test_a_refused_secret_is_asked_for_again_however_fresh(aws: Aws) -> None:
    vault = aws.vault()
    await vault.secret(f"{SECRET}#token")
    aws.answer = '{"token": "two"}'
    await vault.renew(f"{SECRET}#token")
    await vault.renew("env:TOKEN")
    assert await vault.secret(f"{SECRET}#token") == "two"
    assert len(aws.asked) == 2


@pytest.mark.parametrize(
    ("held", "reference"),
    [
        ("plain hunter2 text", f"{SECRET}#token"),
        ('{"other": "hunter2"}', f"{SECRET}#token"),
        ('["hunter2"]', f"{SECRET}#token"),
        ('{"token": {"hunter2": 1}}', f"{SECRET}#token"),
        ('{"token": "hunter2\\n"}', f"{SECRET}#token"),
        ('{"token": ""}', f"{SECRET}#token"),
        ("hunter2\n2", SECRET),
    ],
)
async def test_a_secret_of_another_form_is_refused_without_being_shown(aws: Aws, held: str, reference: str) -> None:
    aws.answer = held
    with pytest.raises(SecretError) as refusal:
        await aws.vault().secret(reference)
    assert "hunter2" not in str(refusal.value)
    assert SECRET in str(refusal.value)
    assert refusal.value.__cause__ is None


async def test_what_is_not_allowed_is_not_even_asked_for(aws: Aws) -> None:
    vault = aws.vault(allow=AllowList((Allowed("env:MCP_*"),)), env={"OTHER": "x", "MCP_TOKEN": "t"})
    for reference in (f"{SECRET}#token", "env:OTHER", "file:/etc/passwd"):
        with pytest.raises(SecretError, match="is not among the secrets"):
            await vault.secret(reference, "https://orders.example.com")
    assert await vault.secret("env:MCP_TOKEN", "https://orders.example.com") == "t"
    assert aws.asked == []


async def test_a_waiting_probe_that_gives_up_leaves_the_question_to_the_next(aws: Aws) -> None:
    vault = aws.vault()
    aws.executor.hangs = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await vault.secret(SECRET)
