"""Secrets that AWS keeps: Secrets Manager and the Parameter Store, asked through boto3.

boto3 is imported by the first question, because that takes longer than a whole probe, and every call blocks: ask from a
thread.
"""

import json
import logging
import os
import threading
from typing import Any, Final

from prober.secrets.references import MAX_SECRET_BYTES, SecretError, region_of

CONNECT_S: Final = 2.0
READ_S: Final = 3.0

_TALKATIVE: Final = ("boto3", "botocore", "urllib3", "httpx", "httpcore")
_OWN_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId",
        "InvalidSignatureException", "MissingAuthenticationToken", "UnrecognizedClientException",
    }
)  # fmt: skip
"""Error codes by which AWS refuses the caller's credentials ("Common Errors" of its API references)."""
_QUESTIONS: Final = frozenset({"GetSecretValue", "GetParameter"})
_GONE: Final = frozenset(
    {"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound", "InvalidRequestException"}
)
_FORBIDDEN: Final = frozenset({"AccessDenied", "AccessDeniedException", "DecryptionFailure", "InvalidKeyId"})
_TOO_FAST: Final = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})

NO_CREDENTIALS: Final = (
    "no AWS credentials are to be had: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE for this "
    "process, or give its task, pod or instance a role"
)


def silence() -> None:
    """Keep the loggers of HTTP and AWS libraries from writing below WARNING, whatever the root logger is set to.

    At DEBUG they write whole answers, and with them secrets, session tokens and signatures.
    """
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)


def session() -> Any:
    """boto3's view of the AWS configuration of this process; the first call takes more than 100 ms of CPU.

    Its region is AWS_REGION's, which Lambda and ECS set and boto3 does not read (AWS SDKs and Tools reference, "AWS
    Region"), else that of AWS_DEFAULT_REGION or of the profile.
    """
    import boto3

    return boto3.session.Session(region_name=os.environ.get("AWS_REGION") or None)


class SecretStores:
    """Asks AWS. Clients are made once for each service and region; any number of threads may ask."""

    def __init__(self) -> None:
        self._making = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str | None], Any] = {}

    def fetch(self, source: str) -> str:
        """The whole text behind an AWS reference without its `#key`. Blocks for some seconds at most.

        Raises SecretError.
        """
        silence()
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._text(source)
        except ClientError as error:
            if error.operation_name in _QUESTIONS:
                raise _refused(source, error.response) from None
            raise _without_role(source, error) from None
        except BotoCoreError as error:
            raise _unasked(source, error) from None

    def _text(self, source: str) -> str:
        name = source.partition(":")[2]
        if source.startswith("aws-sm:"):
            answer = self._client("secretsmanager", region_of(source)).get_secret_value(SecretId=name)
            text = answer.get("SecretString")
            if text is None:
                raise SecretError(f"{source} is binary: store the secret as text")
        else:
            answer = self._client("ssm", None).get_parameter(Name=name, WithDecryption=True)
            text = answer["Parameter"]["Value"]
        if len(text) > MAX_SECRET_BYTES:
            raise SecretError(f"{source} is larger than 64 KiB: store the secret alone")
        return str(text)

    def _client(self, service: str, region: str | None) -> Any:
        from botocore.config import Config

        with self._making:  # making clients is the part of boto3 that threads must not do at once
            if (service, region) not in self._clients:
                if self._session is None:
                    self._session = session()
                patience = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1})
                made = self._session.client(service, region_name=region, config=patience)
                self._clients[service, region] = made
            return self._clients[service, region]


def source_of(reference: str) -> str:
    """What AWS is asked for: the reference without its `#key`."""
    return reference.partition("#")[0]


def picked(reference: str, text: str) -> str:
    """The secret that `reference` means within the whole text of its source. Raises SecretError."""
    source, _, key = reference.partition("#")
    if not key:
        return text
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        # The parser's own message quotes the secret.
        raise SecretError(f"{source} is no JSON, so that it has no key {key}: leave out #{key}") from None
    value = held.get(key) if isinstance(held, dict) else None
    if not isinstance(value, str):
        raise SecretError(f"{source} has no text under the key {key}: compare the keys of the secret's JSON")
    return value


def code_of(response: Any) -> str:
    """The error code in an answer of AWS."""
    return str(response.get("Error", {}).get("Code", "unknown"))[:80]


def why(error: Exception) -> str:
    """Why botocore has no credentials, in its own words only where these hold none of what it read."""
    from botocore.exceptions import PartialCredentialsError, ProfileNotFound

    own = isinstance(error, (PartialCredentialsError, ProfileNotFound))
    return str(error) if own else type(error).__name__


def is_of_credentials(error: Exception) -> bool:
    """Whether botocore failed because it has no credentials of its own."""
    from botocore import exceptions

    kinds = (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.ProfileNotFound,
        exceptions.ConfigParseError,
        exceptions.SSOError,
        exceptions.MetadataRetrievalError,
    )
    return isinstance(error, kinds)


def _refused(source: str, response: Any) -> SecretError:
    code = code_of(response)
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
    if code in _OWN_CREDENTIALS:
        text = f"{source} cannot be read: AWS refuses the prober's own credentials ({code}); renew them"
        return SecretError(text, reason="aws-credentials")
    if code in _GONE:
        return SecretError(f"{source} is not there ({code}): compare its name, account and region")
    if code in _FORBIDDEN:
        action = "secretsmanager:GetSecretValue" if source.startswith("aws-sm:") else "ssm:GetParameter"
        return SecretError(
            f"{source} may not be read ({code}): allow the prober {action}, and kms:Decrypt for a key of your own"
        )
    passing = status >= 500 or code in _TOO_FAST
    return SecretError(f"{source} cannot be read: AWS says {code}", passing=passing)


def _without_role(source: str, error: Any) -> SecretError:
    """The refusal of another service, which was asked for the prober's own credentials before."""
    said = f"{error.operation_name}: {code_of(error.response)}"
    return SecretError(f"{source} cannot be read: {NO_CREDENTIALS} ({said})", reason="aws-credentials")


def _unasked(source: str, error: Exception) -> SecretError:
    from botocore import exceptions

    if isinstance(error, exceptions.NoRegionError):
        return SecretError(f"{source} is in no region: set AWS_REGION for this process", reason="aws-region")
    if is_of_credentials(error):
        return SecretError(f"{source} cannot be read: {NO_CREDENTIALS} ({why(error)})", reason="aws-credentials")
    text = f"{source} cannot be read: AWS is not to be reached ({type(error).__name__})"
    return SecretError(text, reason="aws-away", passing=True)
