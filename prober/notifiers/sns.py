"""Amazon SNS: one message per notice to a topic, with attributes for subscription filter policies."""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final, Protocol, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from checks.text import clean
from prober.incidents.notice import Notice
from prober.notifiers.contract import ChannelSettings, NotifyError, Tools, refusal, to_mend
from prober.notifiers.forms import bounded, plain_text, short, versioned
from prober.secrets.aws import session

# SNS API reference, Publish: Subject, Message, MessageGroupId.
SUBJECT_LIMIT: Final = 99
SMS_LIMIT: Final = 140
"""Characters; at most two text messages, whatever alphabet they need, and one in ASCII."""
MOST_ATTRIBUTES: Final = 10
"""Queues with raw message delivery lose messages with more (SNS developer guide, "Message attributes")."""
_ATTRIBUTE_LIMIT: Final = 200
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_STRUCTURED_ROOM: Final = 6000
"""Characters of the notice in each of six variants: with four bytes for each, all stay below 256 KiB together."""
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


class Structure(StrEnum):
    """What the subscribers of a topic get."""

    TEXT = "text"
    JSON = "json"


class SnsSettings(ChannelSettings):
    """Which topic, and in which form."""

    topic_arn: Annotated[str, AfterValidator(_topic_arn)] = Field(
        description="ARN of the topic. Credentials come from the AWS configuration of the process."
    )
    endpoint_url: str | None = Field(
        default=None, pattern=r"^https?://", description="Another address of the SNS API, such as a VPC endpoint."
    )

    structure: Structure = Field(
        default=Structure.TEXT,
        description="text: the same for all. json: versioned JSON for http, https, lambda and sqs, few words for sms, "
        "text for others.",
    )
    labels: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default=[],
        max_length=3,
        description="Labels that go as attributes named label.NAME, to filter by; else the first three of an endpoint.",
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
    notice = bounded(notice)
    request: dict[str, Any] = {
        "TopicArn": settings.topic_arn,
        "Subject": subject(notice.title),
        "Message": plain_text(notice, public_url),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": clean(value, _ATTRIBUTE_LIMIT).strip() or "-"}
            for name, value in attributes(notice, settings.labels).items()
        },
    }
    if settings.structure is Structure.JSON:
        request |= {"MessageStructure": "json", "Message": variants(notice, public_url)}
    if settings.is_fifo:
        request["MessageGroupId"] = _group(notice.endpoint)
        request["MessageDeduplicationId"] = str(notice.id)
    return request


def attributes(notice: Notice, labels: Sequence[str]) -> dict[str, str]:
    """What a subscription can filter by, `MOST_ATTRIBUTES` at most."""
    found = {
        "endpoint": notice.endpoint,
        "severity": notice.severity.value,
        "verdict": notice.verdict.value if notice.verdict else "none",
        "kind": notice.kind.value,
        "about": notice.about.value,
        "diagnosis": notice.diagnosis or "none",
        "notice": str(notice.id),
    }
    for label in labels or sorted(notice.labels):
        if label in notice.labels and len(found) < MOST_ATTRIBUTES:
            found[f"label.{_NOT_IN_A_NAME.sub('_', label) or '_'}"] = notice.labels[label]
    return found


def variants(notice: Notice, public_url: str | None) -> str:
    """The message by protocol (SNS API reference, Publish: MessageStructure). Those without one get the default."""
    notice = bounded(notice, _STRUCTURED_ROOM)
    text = plain_text(notice, public_url)
    data = _json(versioned(notice, public_url))
    forms = {"default": text, "email": text, "sms": short(notice, SMS_LIMIT)}
    return _json({**forms, **dict.fromkeys(("http", "https", "lambda", "sqs"), data)})


def _json(value: Any) -> str:
    """As short as can be: a character beyond ASCII takes four bytes at most, escaped it would take twelve."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


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
        return to_mend(reason) if is_topic else NotifyError(reason, permanent=True)
    if status == HTTPStatus.BAD_REQUEST:  # AWS says so to unknown credentials and keys without permission, too
        return to_mend(reason)
    return refusal(status, said)
