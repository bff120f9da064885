"""The catalog, and the settings of every kind."""

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from prober.notifiers.catalog import NOTIFIERS, notifier_of, settings_models
from prober.notifiers.contract import refusal
from prober.notifiers.slack import SlackSettings
from prober.settings import json_schema


def test_every_kind_is_found_by_its_name_and_says_what_it_sends() -> None:
    assert [each.kind for each in NOTIFIERS] == ["slack", "sns", "pagerduty", "email", "webhook", "apprise", "file"]
    for each in NOTIFIERS:
        assert notifier_of(each.kind) is each
        assert settings_models()[each.kind] is each.settings
        assert (each.__doc__ or "").strip()
    assert notifier_of("pigeon") is None


@pytest.mark.parametrize("model", settings_models().values(), ids=settings_models())
def test_an_unknown_key_is_refused_by_every_kind(model: type) -> None:
    with pytest.raises(ValidationError) as caught:
        model(nonsense="value")
    assert ("nonsense",) in {each["loc"] for each in caught.value.errors()}


def test_a_webhook_written_out_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValidationError) as caught:
        SlackSettings(webhook="https://hooks.slack.com/services/T0/B0/s3cr3t")
    assert "env:NAME, file:/path" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "permanent", "needs_mending"),
    [
        *((status, True, False) for status in (400, 413, 414, 422)),
        *((status, False, True) for status in (401, 403, 404, 405, 410)),
        *((status, False, False) for status in (301, 408, 425, 429, 500, 502, 503)),
    ],
)
def test_only_what_the_notice_itself_is_refused_for_is_permanent(
    status: int, permanent: bool, needs_mending: bool
) -> None:
    error = refusal(status, "no")
    assert (error.permanent, error.needs_mending) == (permanent, needs_mending)


def test_the_schema_of_the_file_knows_what_a_kind_and_all_kinds_can_be_told() -> None:
    schema = Draft202012Validator(json_schema(settings_models()))
    shared = {"name": "team", "least": "critical", "only": {"env": "prod"}, "after": "5m", "fallback": "mail"}
    document = {"endpoints": [], "notifiers": [{"kind": "slack", "webhook": "env:HOOK", **shared}]}
    schema.validate(document)
    document["notifiers"][0]["nonsense"] = 1
    assert not schema.is_valid(document)


@pytest.mark.parametrize(
    ("options", "is_valid"),
    [
        ({"kind": "slack", "webhook": "https://hooks.slack.com/services/T0/B0/s3cr3t"}, False),
        ({"kind": "webhook", "url": "env:HOOK_URL", "secret": "s3cr3t"}, False),
        ({"kind": "webhook", "url": "env:HOOK_URL", "secret": "aws-sm:hook", "previous_secret": "s3cr3t"}, False),
        ({"kind": "webhook", "url": "env:HOOK_URL", "secret": "aws-sm:hook", "previous_secret": "file:/old"}, True),
    ],
)
def test_the_schema_of_the_file_wants_the_secrets_of_channels_by_reference(
    options: dict[str, str], is_valid: bool
) -> None:
    document = {"endpoints": [], "notifiers": [{"name": "team", **options}]}
    assert Draft202012Validator(json_schema(settings_models())).is_valid(document) is is_valid
