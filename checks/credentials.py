"""By what an endpoint lets its prober in, as its settings say; the secrets themselves are out of sight here."""

import re
from enum import StrEnum
from typing import Final

from checks.model import Endpoint

REFERENCE_SCHEMES: Final = ("env:", "file:", "aws-sm:", "aws-ssm:")
"""What a reference to a secret begins with, where a secret cannot stand itself."""

_NAME: Final = re.compile(
    r"authorization|cookie|(?:^|[-_])(?:api[-_]?key|auth|token|secret|password|passwd|credentials?|signature)(?:$|[-_])",
    re.IGNORECASE,
)


class Credential(StrEnum):
    """One kind of credential."""

    BEARER = "bearer"
    """A token, written down or fetched by a grant: the one kind that MCP clients can find out how to get."""
    SIGNATURE = "signature"
    """An AWS signature: whoever refuses for want of it is IAM, before any server."""
    HEADER = "header"
    """A key in a header, which its owner hands out."""


def credentials_of(endpoint: Endpoint) -> frozenset[Credential]:
    """The kinds of credentials that requests to the endpoint carry."""
    kinds = set()
    if endpoint.bearer is not None or endpoint.oauth is not None:
        kinds.add(Credential.BEARER)
    if endpoint.sigv4 is not None:
        kinds.add(Credential.SIGNATURE)
    if credential_headers(endpoint):
        kinds.add(Credential.HEADER)
    return frozenset(kinds)


def credential_headers(endpoint: Endpoint) -> tuple[str, ...]:
    """The names of the owner's headers that carry credentials: what has to be kept secret, or is named like it."""
    headers = endpoint.headers.items()
    return tuple(name for name, value in headers if value.startswith(REFERENCE_SCHEMES) or names_credential(name))


def names_credential(header: str) -> bool:
    """Whether a header, or a parameter, of that name usually carries a credential."""
    return _NAME.search(header) is not None
