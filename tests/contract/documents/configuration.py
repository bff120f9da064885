"""The reference of the configuration file, from the schema that judges it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from prober.notifiers.catalog import settings_models
from prober.settings import json_schema
from prober.settings.loading import ENVIRONMENT
from tests.contract.documents.tables import table

HEAD: Final = """\
# Configuration

One YAML file, `prober.yaml` by default. An unknown key, a value out of bounds or a secret that is not a reference is
an error that names the line and the way out: `mcp-prober config check prober.yaml` lists them all. An editor that knows
JSON Schema takes `mcp-prober config schema`. A *duration* is `500ms`, `30s`, `5m`, `12h`, `7d` or a number of seconds;
a *size* is `512KiB`, `64MiB` or a number of bytes; a *reference* names a secret: `env:NAME`, `file:/path`,
`aws-sm:ARN#key` or `aws-ssm:/path`.
"""
NOTIFIERS: Final = "NotifierSection"
DURATION_UNITS: Final[Mapping[str, int]] = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
SIZE_UNITS: Final[Mapping[str, int]] = {"GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}
_DURATION: Final = "ms|s|m|h|d"
_SIZE: Final = "B|KiB|MiB|GiB"


def configuration() -> str:
    """The document."""
    schema = json_schema(settings_models())
    return "\n".join((HEAD, *_sections(schema), *_environment()))


def _sections(schema: Mapping[str, Any]) -> Iterator[str]:
    top = schema["properties"]
    yield "## The file\n"
    yield table(("key", "holds", "default", ""), (_row(name, each, schema) for name, each in top.items())) + "\n"
    for name, each in top.items():
        yield from _described(name, each, schema)


def _described(path: str, value: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """A section for the model behind a key, and then for those below it."""
    name = _model_of(value)
    if name is None or name.endswith(("Severity", "MetricSet", "OnRequest", "ClientAuth")):
        return
    model = schema["$defs"][name]
    here = f"{path}[]" if _is_list(value) else path
    if name == NOTIFIERS:
        yield from _notifiers(here, model, schema)
        return
    if "properties" not in model:
        return
    required = set(model.get("required", ()))
    yield f"## `{here}`\n"
    rows = (_row(key, each, schema, is_required=key in required) for key, each in model["properties"].items())
    yield table(("key", "holds", "default", ""), rows) + "\n"
    for key, each in model["properties"].items():
        yield from _described(f"{here}.{key}", each, schema)


def _notifiers(here: str, model: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """What every kind takes, and then each kind by itself."""
    kinds = {each["properties"]["kind"]["const"]: each for each in model["anyOf"]}
    shared = set.intersection(*(set(each["properties"]) for each in kinds.values())) - {"kind"}
    first = next(iter(kinds.values()))["properties"]
    yield f"## `{here}`\n"
    rows = [("`kind`", f"one of {', '.join(f'`{kind}`' for kind in kinds)}", "required", "Which channel.")]
    rows += [_row(key, first[key], schema) for key in first if key in shared]
    yield table(("key", "holds", "default", ""), rows) + "\n"
    for kind, each in kinds.items():
        required = set(each.get("required", ()))
        own = [_row(key, one, schema, is_required=key in required) for key, one in each["properties"].items()
               if key not in shared and key != "kind"]  # fmt: skip
        yield f"### `{here}` with `kind: {kind}`\n"
        yield table(("key", "holds", "default", ""), own) + "\n"


def _row(
    key: str, value: Mapping[str, Any], schema: Mapping[str, Any], *, is_required: bool = False
) -> tuple[str, str, str, str]:
    default = "required" if is_required else _default(value)
    return f"`{key}`", _holds(value, schema), default, value.get("description", "")


def _default(value: Mapping[str, Any]) -> str:
    """What counts where nothing is written, as people would write it."""
    found = value.get("default")
    if "default" not in value:
        return "required"
    if found in (None, [], {}) or ("$ref" in value and isinstance(found, dict)):
        return ""
    if isinstance(found, dict):
        return "`{" + ", ".join(f"{key}: {each}" for key, each in found.items()) + "}`"
    patterns = "".join(each.get("pattern", "") for each in value.get("anyOf", ()))
    if _DURATION in patterns:
        return f"`{_largest(round(float(found) * 1000), DURATION_UNITS)}`"
    if _SIZE in patterns:
        return f"`{_largest(found, SIZE_UNITS)}`"
    return f"`{json.dumps(found, ensure_ascii=False)}`" if not isinstance(found, str) else f"`{found}`"


def _largest(amount: int, units: Mapping[str, int]) -> str:
    """An amount in the largest unit that it is a whole number of."""
    unit = next(unit for unit, one in units.items() if amount % one == 0)
    return f"{amount // units[unit]}{unit}"


def _holds(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in value:
        return _named(value["$ref"], schema)
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return "one of " + ", ".join(f"`{each}`" for each in value["enum"])
    if "anyOf" in value:
        found = [_holds(each, schema) for each in value["anyOf"] if each.get("type") != "null"]
        if {"duration", "size"} & set(found):
            found = [each for each in found if not each.startswith(("number", "whole number"))]
        return " or ".join(dict.fromkeys(found))
    if value.get("type") == "array":
        return f"list of {_holds(value.get('items', {}), schema)}"
    if value.get("type") == "object":
        return "mapping"
    return _scalar(value)


def _scalar(value: Mapping[str, Any]) -> str:
    kind, pattern = value.get("type"), value.get("pattern", "")
    if _DURATION in pattern:
        return "duration"
    if _SIZE in pattern:
        return "size"
    if "env:" in pattern:
        return "reference"
    if kind == "boolean":
        return "`true` or `false`"
    if kind in ("integer", "number"):
        low, high = value.get("minimum"), value.get("maximum")
        bounds = f" from {low} to {high}" if low is not None and high is not None else ""
        return ("whole number" if kind == "integer" else "number") + bounds
    return "URL" if value.get("format") == "uri" else {"string": "text"}.get(str(kind), "anything")


def _named(ref: str, schema: Mapping[str, Any]) -> str:
    model = schema.get("$defs", {}).get(ref.rpartition("/")[2], {})
    if "enum" in model:
        return "one of " + ", ".join(f"`{each}`" for each in model["enum"])
    return "mapping, see below"


def _model_of(value: Mapping[str, Any]) -> str | None:
    for each in (value, value.get("items", {}), *value.get("anyOf", ())):
        if "$ref" in each:
            return str(each["$ref"]).rpartition("/")[2]
    return None


def _is_list(value: Mapping[str, Any]) -> bool:
    return value.get("type") == "array"


def _environment() -> Iterator[str]:
    yield "## Environment\n"
    yield "These stand over the file; an empty variable counts as not set.\n"
    rows = [("`DATABASE_URL`", "`database_url`")]
    rows += [(f"`{name}`", f"`{'.'.join(path)}`") for name, path in ENVIRONMENT.items()]
    yield table(("variable", "key"), rows) + "\n"
