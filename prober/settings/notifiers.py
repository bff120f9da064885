"""Judges the options of notifiers by the model of their kind, which only a room above this one knows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError, ValidationInfo

from prober import values
from prober.settings.model import NotifierSpec
from prober.settings.problems import Problem
from prober.settings.wording import nearest, wording

_DIRECTORY: Final = "directory"
"""Key in the context of a validation."""


def notifier_settings(
    specs: Sequence[NotifierSpec], kinds: Mapping[str, type[BaseModel]]
) -> tuple[dict[str, BaseModel], list[Problem]]:
    """The settings of each notifier by its name, and all problems of those that have none."""
    settings: dict[str, BaseModel] = {}
    problems: list[Problem] = []
    for spec in specs:
        model = kinds.get(spec.kind)
        if model is None:
            hint = nearest(spec.kind, sorted(kinds))
            problems.append(Problem(spec.place, f"notifier {spec.name}: there is no such kind", hint))
            continue
        try:
            settings[spec.name] = model.model_validate(dict(spec.options), context={_DIRECTORY: spec.directory})
        except ValidationError as error:
            problems += _problems(spec, model, error)
    return settings, problems


def from_file(path: Path, info: ValidationInfo) -> Path:
    """Validator for the options of a kind: a relative path begins at the configuration file, `~` at a home."""
    try:
        expanded = path.expanduser()
    except RuntimeError:
        raise values.Refused("begins at a home that is not there", "write the path out") from None
    directory: Path = (info.context or {}).get(_DIRECTORY, Path())
    return directory / expanded


def _problems(spec: NotifierSpec, model: type[BaseModel], error: ValidationError) -> list[Problem]:
    problems = []
    for each in error.errors(include_url=False, include_input=False):
        message, hint = wording(each, model)
        option = ".".join(str(part) for part in each["loc"])
        place = spec.option_places.get(option.partition(".")[0], spec.place)
        shown = f"notifier {spec.name}: {option}: {message}" if option else f"notifier {spec.name}: {message}"
        problems.append(Problem(place, shown, hint))
    return problems


def with_notifiers(file_schema: dict[str, Any], kinds: Mapping[str, type[BaseModel]]) -> dict[str, Any]:
    """The JSON Schema of the file with the options of every kind of notifier filled in."""
    definitions = dict(file_schema["$defs"])
    common = definitions["NotifierSection"]["properties"]
    variants = []
    for kind, model in sorted(kinds.items()):
        options = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions |= options.pop("$defs", {})
        options["properties"] = {**options.get("properties", {}), **common, "kind": {"const": kind}}
        options["required"] = [*options.get("required", []), "kind"]
        variants.append(options)
    definitions["NotifierSection"] = {"anyOf": variants}
    return {**file_schema, "$defs": definitions}
