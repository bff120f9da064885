"""What an event in embedded metric format must be, from the specification, and nothing of how ours are made.

Source: CloudWatch user guide, "Specification: Embedded metric format", its JSON schema and its text.
"""

import json
from typing import Any, Final

from jsonschema import Draft202012Validator

_UNITS: Final = (
    "Seconds|Microseconds|Milliseconds|Bytes|Kilobytes|Megabytes|Gigabytes|Terabytes|Bits|Kilobits|Megabits|Gigabits|"
    "Terabits|Percent|Count|Bytes\\/Second|Kilobytes\\/Second|Megabytes\\/Second|Gigabytes\\/Second|Terabytes\\/Second|"
    "Bits\\/Second|Kilobits\\/Second|Megabits\\/Second|Gigabits\\/Second|Terabits\\/Second|Count\\/Second|None"
)
_NAME: Final = {"type": "string", "minLength": 1, "maxLength": 1024}
_DIRECTIVE: Final = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": _NAME,
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "array",
                "maxItems": 30,
                "items": {"type": "string", "minLength": 1, "maxLength": 250},
            },
        },
        "Metrics": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["Name"],
                "additionalProperties": False,
                "properties": {
                    "Name": _NAME,
                    "Unit": {"type": "string", "pattern": f"^({_UNITS})$"},
                    "StorageResolution": {"enum": [1, 60]},
                },
            },
        },
    },
}
SCHEMA: Final = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {"type": "array", "items": _DIRECTIVE},
            },
        }
    },
}
_TARGET: Final = {
    "anyOf": [
        {"type": "number"},
        {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 100},
    ]
}
_DIMENSION: Final = {"type": "string", "minLength": 1, "maxLength": 1024}
EVENT_BYTES: Final = 256 * 1024
"""Newer pages speak of 1 MB; whoever keeps to less is safe everywhere."""


def checked(line: bytes) -> Any:
    """The event of a line. Raises jsonschema.ValidationError or AssertionError for one that breaks a rule."""
    assert len(line) <= EVENT_BYTES
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    event = json.loads(line, parse_constant=lambda word: _fail(f"{word} is no JSON"))
    Draft202012Validator(SCHEMA).validate(event)
    for directive in event["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            Draft202012Validator(_TARGET).validate(event[metric["Name"]])
        for name in (name for group in directive["Dimensions"] for name in group):
            Draft202012Validator(_DIMENSION).validate(event[name])
    return event


def _fail(why: str) -> None:
    raise AssertionError(why)
