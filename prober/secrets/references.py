"""References to secrets: `env:NAME` and `file:/path`, resolved when a probe needs the value and never earlier."""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MAX_SECRET_BYTES: Final = 64 * 1024

SCHEMES: Final = ("env:", "file:")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


class SecretError(Exception):
    """A secret that is not to be had. The text names the reference and the way out, never the value."""


def is_reference(text: str) -> bool:
    """Whether `text` means a reference; it may still be one that `problem_with` finds fault with."""
    return text.startswith(SCHEMES)


def problem_with(reference: str) -> str | None:
    """What is wrong with the spelling of a reference, or None. Says nothing about whether the secret exists."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        return None if _VARIABLE.fullmatch(rest) else "after env: comes the name of an environment variable"
    if scheme == "file":
        return None if rest.startswith("/") and "\x00" not in rest else "after file: comes an absolute path"
    return "a secret is given by reference: env:NAME or file:/path"


def resolve(reference: str, env: Mapping[str, str] | None = None) -> str:
    """The secret behind `reference`, from `env` (the process environment by default) or from a file.

    Of a file's content one newline at the end is dropped, because editors add it. Raises SecretError.
    """
    problem = problem_with(reference)
    if problem is not None:
        raise SecretError(problem)
    scheme, _, rest = reference.partition(":")
    value = _variable(rest, os.environ if env is None else env) if scheme == "env" else _content(Path(rest), reference)
    if not value:
        raise SecretError(f"{reference} is empty: put the secret there")
    if _UNPRINTABLE.search(value):
        raise SecretError(
            f"{reference} holds a line break, a control character or a character outside ASCII, which no header can "
            "carry: store the bare secret, encoded where need be"
        )
    return value


def _variable(name: str, env: Mapping[str, str]) -> str:
    if name not in env:
        raise SecretError(f"env:{name} is not set: set the environment variable {name} for this process")
    return env[name]


def _content(path: Path, reference: str) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SecretError(f"{reference} is not a regular file: name a file that holds the secret alone")
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretError(
            f"{reference} cannot be read ({error.strerror}): check the path and the permissions"
        ) from error
    if len(content) > MAX_SECRET_BYTES:
        raise SecretError(f"{reference} is larger than 64 KiB: name a file that holds the secret alone")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # The decoder's own message quotes bytes of the secret.
        raise SecretError(f"{reference} is not text: store the secret as ASCII, encoded where need be") from None
    return text.removesuffix("\n").removesuffix("\r")
