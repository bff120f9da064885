"""References to secrets: how they are spelled, and what stands behind those that this machine can resolve by itself.

env:NAME              a variable of the prober's environment
file:/path            a file that holds the secret alone
aws-sm:ARN#key        a secret of AWS Secrets Manager: one key of its JSON, or without #key the whole text
aws-ssm:/path         a parameter of the AWS Systems Manager Parameter Store, decrypted
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from checks.credentials import REFERENCE_SCHEMES

MAX_SECRET_BYTES: Final = 64 * 1024

REMOTE_SCHEMES: Final = ("aws-sm:", "aws-ssm:")
SPELLINGS: Final = "env:NAME, file:/path, aws-sm:ARN#key or aws-ssm:/path"

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")
# Secrets Manager API reference, CreateSecret, parameter Name; the random suffix that AWS adds is part of it here.
_SECRET_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}"
)
# Systems Manager user guide, "Requirements and constraints for parameter names".
_PARAMETER: Final = re.compile(r"(?:/[A-Za-z0-9_.-]+){1,15}")
_LONGEST_PARAMETER: Final = 1011

SecretReason = Literal["secret", "aws-credentials", "aws-region", "aws-away"]


class SecretError(Exception):
    """A secret that is not to be had. The text names the reference and the way out, never the value.

    `reason` tells a missing secret from missing credentials or settings of our own, and from an AWS that cannot be
    reached. `passing`: whoever keeps the secret is away for now, and has not said that we may not have it.
    """

    def __init__(self, text: str, *, reason: SecretReason = "secret", passing: bool = False) -> None:
        super().__init__(text)
        self.reason: SecretReason = reason
        self.passing = passing


def is_reference(text: str) -> bool:
    """Whether `text` means a reference; it may still be one that `problem_with` finds fault with."""
    return text.startswith(REFERENCE_SCHEMES)


def is_remote(reference: str) -> bool:
    """Whether AWS has to be asked for the secret."""
    return reference.startswith(REMOTE_SCHEMES)


def problem_with(reference: str) -> str | None:
    """What is wrong with the spelling of a reference, or None. Says nothing about whether the secret exists."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env":
        return None if _VARIABLE.fullmatch(rest) else "after env: comes the name of an environment variable"
    if scheme == "file":
        is_path = rest.startswith("/") and "\x00" not in rest and ".." not in rest.split("/")
        return None if is_path else "after file: comes an absolute path without .."
    if scheme == "aws-sm":
        arn, hash_sign, key = rest.partition("#")
        is_secret = _SECRET_ARN.fullmatch(arn) is not None and bool(key) == bool(hash_sign)
        return None if is_secret else "after aws-sm: comes the ARN of a secret, with #key for one key of its JSON"
    if scheme == "aws-ssm":
        is_parameter = _PARAMETER.fullmatch(rest) is not None and len(rest) <= _LONGEST_PARAMETER
        return None if is_parameter else "after aws-ssm: comes the path of a parameter, such as /mcp/token"
    return f"a secret is given by reference: {SPELLINGS}"


def region_of(reference: str) -> str | None:
    """The AWS region that an `aws-sm:` reference names."""
    found = _SECRET_ARN.match(reference.removeprefix("aws-sm:"))
    return found["region"] if found else None


def resolve(reference: str, env: Mapping[str, str] | None = None) -> str:
    """The secret behind `reference`, from `env` (the process environment by default) or from a file.

    Of a file's content one newline at the end is dropped, because editors add it. Raises SecretError, for a reference
    to AWS too: see `prober.secrets.vault` for those.
    """
    problem = problem_with(reference)
    if problem is not None:
        raise SecretError(problem)
    if is_remote(reference):
        raise SecretError(f"{reference} is kept by AWS, and only env:NAME or file:/path can be read here")
    scheme, _, rest = reference.partition(":")
    value = _variable(rest, os.environ if env is None else env) if scheme == "env" else _content(Path(rest), reference)
    return sendable(value, reference)


def sendable(value: str, reference: str) -> str:
    """`value` where a header can carry it. Raises SecretError."""
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
