"""Amazon SNS: one message per notice to a topic, with attributes for subscription filter policies."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final, Protocol, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from checks.text import clean
from prober.incidents.notice import Notice
from prober.notifiers.contract import ChannelSettings, NotifyError, Tools, plain_text, refusal
from prober.secrets.aws import session

# SNS API reference, Publish: Subject, Message, MessageGroupId.
SUBJECT_LIMIT: Final = 99
MESSAGE_LIMIT: Final = 256 * 1024
_ATTRIBUTES_RESERVE: Final = 4 * 1024
"""Attributes count towards the message's size."""
_ARN: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,251}(\.fifo)?")
_GROUP_ID: Final = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")

_PASSING: Final = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "KMSThrottling", "KMSThrottlingException", "RequestExpired",
        "RequestLimitExceeded", "RequestThrottled", "Throttled", "ThrottledException", "Throttling",
        "ThrottlingException", "TooManyRequestsException",
    }
)  # fmt: skip
"""Error codes that AWS answers with a 4xx although the same request may succeed a little later."""
_FOR_ITS_CONTENT: Final = frozenset(
    {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError", "ValidationException"}
)
"""Error codes of Publish that the same message meets again (SNS API reference, Publish and Common Errors)."""


def _topic_arn(text: str) -> str:
    if not _ARN.fullmatch(text):
        raise PydanticCustomError(
            "topic_arn", "is not the ARN of a topic: such as arn:aws:sns:eu-central-1:123456789012:alerts"
        )
    return text


class SnsSettings(ChannelSettings):
    """Which topic."""

    topic_arn: Annotated[str, AfterValidator(_topic_arn)] = Field(
        description="ARN of the topic. Credentials come from the AWS configuration of the process."
    )
    endpoint_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Another address of the SNS API, such as a VPC endpoint."
    )

    @property
    def region(self) -> str:
        return self.topic_arn.split(":")[3]

    @property
    def is_fifo(self) -> bool:
        return self.topic_arn.endswith(".fifo")


class Topics(Protocol):
    """The part of boto3's SNS client that is used."""

    def publish(self, **request: Any) -> Any: ...


class Sns:
    """Messages to an Amazon SNS topic, with attributes to filter by."""

    kind: ClassVar[str] = "sns"
    settings: ClassVar[type[ChannelSettings]] = SnsSettings

    def __init__(self, settings: SnsSettings, tools: Tools, connect: Callable[[SnsSettings], Topics]) -> None:
        self._settings = settings
        self._tools = tools
        self._connect = connect
        self._client: Topics | None = None

    @classmethod
    def build(cls, settings: SnsSettings, tools: Tools) -> Self:
        return cls(settings, tools, client)

    async def send(self, notice: Notice) -> None:
        request = publication(notice, self._settings, self._tools.public_url)
        await asyncio.get_running_loop().run_in_executor(self._tools.executor, self._publish, request)

    def _publish(self, request: dict[str, Any]) -> None:
        """In a thread: making the first client alone costs more than 100 ms of CPU."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if self._client is None:
                self._client = self._connect(self._settings)
            self._client.publish(**request)
        except ClientError as error:
            raise _refused(error.response) from None
        except BotoCoreError as error:
            raise NotifyError(f"SNS: {clean(str(error), 200)}", permanent=False) from None


def client(settings: SnsSettings) -> Topics:
    """A client of the topic's region that tries once: delivery owns the retries, and they must not add up."""
    from botocore.config import Config

    config = Config(connect_timeout=3, read_timeout=8, retries={"total_max_attempts": 1})
    made: Topics = session().client(
        "sns", region_name=settings.region, endpoint_url=settings.endpoint_url, config=config
    )
    return made


def publication(notice: Notice, settings: SnsSettings, public_url: str | None) -> dict[str, Any]:
    """The parameters of `Publish`, within its limits whatever the notice holds."""
    text = plain_text(notice, public_url).encode("utf-8", "replace")[: MESSAGE_LIMIT - _ATTRIBUTES_RESERVE]
    request: dict[str, Any] = {
        "TopicArn": settings.topic_arn,
        "Subject": subject(notice.title),
        "Message": text.decode("utf-8", "ignore"),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": clean(value, 200).strip() or "-"}
            for name, value in {
                "endpoint": notice.endpoint,
                "severity": notice.severity,
                "verdict": notice.verdict or "none",
                "kind": notice.kind,
                "diagnosis": notice.diagnosis or "none",
                "notice": str(notice.id),
            }.items()
        },
    }
    if settings.is_fifo:
        request["MessageGroupId"] = _group(notice.endpoint)
        request["MessageDeduplicationId"] = str(notice.id)
    return request


def subject(title: str) -> str:
    """Printable ASCII in one line, fewer than 100 characters, a letter or digit first."""
    written = clean(title, 4 * SUBJECT_LIMIT).encode("ascii", "backslashreplace").decode("ascii")
    return f"MCP: {written}"[:SUBJECT_LIMIT].rstrip()


def _group(endpoint: str) -> str:
    return endpoint if _GROUP_ID.fullmatch(endpoint) else hashlib.sha256(endpoint.encode()).hexdigest()


def _refused(response: Any) -> NotifyError:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    said = f"SNS says {code}: {response.get('Error', {}).get('Message', '')}"
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500))
    reason = f"HTTP {status}: {clean(said, 200)}"
    if code in _PASSING:
        return NotifyError(reason, permanent=False)
    if code in _FOR_ITS_CONTENT:
        is_topic = "TopicArn" in said  # a parameter like the others to SNS, but the configuration's, not the notice's
        return NotifyError(reason, permanent=not is_topic, needs_mending=is_topic)
    if status == HTTPStatus.BAD_REQUEST:  # AWS says so to unknown credentials and keys without permission, too
        return NotifyError(reason, permanent=False, needs_mending=True)
    return refusal(status, said)
