"""What is said about secrets that are not there."""

from checks.model import Endpoint, OAuth
from prober.app.references import missing
from prober.secrets.references import SecretError
from prober.settings import NotifierSpec, Settings, WatchdogSettings


def secret(reference: str) -> str:
    if reference == "env:THERE":
        return "s3cret"
    raise SecretError(f"{reference} is not set")


def test_every_reference_that_cannot_be_resolved_is_named_with_its_owner() -> None:
    settings = Settings(
        endpoints=(
            Endpoint(name="well", url="https://a.example/mcp", bearer="env:THERE", headers={"X-Plain": "text"}),
            Endpoint(name="orders", url="https://b.example/mcp", bearer="env:GONE", headers={"X-Api-Key": "env:AWAY"}),
            Endpoint(
                name="client",
                url="https://d.example/mcp",
                oauth=OAuth(token_url="https://login.example/", client_id="a", client_secret="env:FORGOTTEN"),
                headers={"X-Api-Key": "aws-ssm:/mcp/key"},
            ),
            Endpoint(name="paused", url="https://c.example/mcp", bearer="env:GONE", enabled=False),
        ),
        notifiers=(NotifierSpec(name="team", kind="slack", options={"webhook": "env:LOST", "limit": 3}),),
        watchdog=WatchdogSettings(url="env:UNSET"),
    )

    assert list(missing(settings, secret)) == [
        "endpoint orders: env:AWAY is not set",
        "endpoint orders: env:GONE is not set",
        "endpoint client: env:FORGOTTEN is not set",
        "notifier team: env:LOST is not set",
        "watchdog: env:UNSET is not set",
    ]
