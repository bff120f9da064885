"""What the form of an endpoint shows that people keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import yaml

from checks.text import clean
from prober.settings import Problem
from prober.settings.schema import EndpointSection

REGISTRY_HREF: Final = "/settings/endpoints"
NEW_HREF: Final = "/settings/new-endpoint"
"""Not below the other: an endpoint may be called `new`."""
MOST_CHARACTERS: Final = 60_000

_STARTER: Final = """\
name: orders
url: https://abc123.lambda-url.eu-central-1.on.aws/mcp
# labels: {team: commerce}
# interval: 60s
# expected_tools: [list_orders]
# auth: {bearer: "env:ORDERS_TOKEN"}
"""
_SHOWN: Final = 200
_KEYS: Final = tuple(EndpointSection.model_fields)
"""In the order of the reference: the database keeps none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryForm:
    """The form with what stands in it, and what is wrong with that."""

    title: str
    action: str
    text: str
    edition: str = ""
    """Which one is changed; empty for a new one."""
    said: str = ""
    """Why it was not taken."""
    problems: tuple[str, ...] = ()
    remove: str = ""
    """Where it is removed; empty for a new one."""
    back: str = "/"
    most: int = MOST_CHARACTERS


def href_of(name: str) -> str:
    """Where an endpoint that people keep is written."""
    return f"{REGISTRY_HREF}/{quote(name, safe='')}"


def new_form(text: str = _STARTER, *, said: str = "", problems: Sequence[Problem] = ()) -> EntryForm:
    """The form for another endpoint."""
    return EntryForm(title="Watch another endpoint", action=NEW_HREF, text=text, said=said, problems=_worded(problems))


def change_form(name: str, text: str, edition: str, *, said: str = "", problems: Sequence[Problem] = ()) -> EntryForm:
    """The form for an endpoint that there is."""
    return EntryForm(
        title=f"Change {clean(name, 100)}",
        action=href_of(name),
        text=text,
        edition=edition,
        said=said,
        problems=_worded(problems),
        remove=f"{href_of(name)}/remove",
        back=f"/endpoints/{quote(name, safe='')}",
    )


def text_of(entry: Mapping[str, Any]) -> str:
    """An entry as YAML that is read back to the same; a plain `${` is written so that it stands for no variable."""
    ordered = {key: entry[key] for key in (*_KEYS, *entry) if key in entry}
    written: str = yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=100)
    return written.replace("${", "$${")


def _worded(problems: Sequence[Problem]) -> tuple[str, ...]:
    return tuple(clean(str(each) if each.place else each.message, _SHOWN) for each in problems)
