"""Which endpoints `check` asks: addresses at the prompt, or those of a configuration by name and label."""

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from checks.model import Endpoint, Profile
from checks.proofs import listed
from checks.text import shown_url
from prober import values
from prober.cli.arguments import endpoint_from, expected_tools, timeout_s
from prober.cli.credentials import Arguments
from prober.cli.errors import CommandError

if TYPE_CHECKING:  # it brings in pydantic, which a probe of one address does not wait for
    from prober.settings import Settings

_OF_ADDRESSES: Final = (
    "header", "bearer", "sigv4", "token_header", "oauth_token_url", "oauth_client_id", "oauth_client_secret",
    "oauth_scope", "oauth_client_auth", "oauth_resource", "insecure", "sentinel", "ask", "origin",
)  # fmt: skip
"""Options that describe an endpoint; the configuration describes its own."""
_CREDENTIALS: Final = ("header", "bearer", "oauth_token_url")


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked, and by whose rules. Without `settings` the person at the prompt makes them."""

    endpoints: tuple[Endpoint, ...]
    settings: "Settings | None" = None


def add_selection_arguments(parser: Arguments) -> None:
    """What is asked."""
    parser.add_argument(
        "targets",
        metavar="URL|NAME",
        nargs="*",
        help="addresses with paths, or with --config names of its endpoints",
    )
    parser.add_argument(
        "--config", metavar="FILE", type=Path, help="ask endpoints of this configuration, by its rules and credentials"
    )
    parser.add_argument(
        "--label", metavar="KEY=VALUE", action="append", default=[], help="those with this label (repeatable: with all)"
    )
    parser.add_argument("--all", action="store_true", help="all of them that are enabled")


def selection_from(options: argparse.Namespace) -> Selection:
    """What the options choose. Raises CommandError, also where that is nothing."""
    if options.config is None:
        if options.label or options.all:
            raise CommandError("--label and --all choose from a configuration", "name it with --config FILE")
        return Selection(_addressed(options))
    return _configured(options)


def _addressed(options: argparse.Namespace) -> tuple[Endpoint, ...]:
    if not options.targets:
        raise CommandError("nothing to check", "name an address, or a configuration with --config FILE --all")
    endpoints = [endpoint_from(options, address) for address in dict.fromkeys(options.targets)]
    origins = {values.origin_of(each.url) for each in endpoints}
    if len(origins) > 1 and any(getattr(options, name) for name in _CREDENTIALS):
        raise CommandError(
            "credentials would go to several servers",
            "check one after the other, or give each its own in a configuration: --config FILE",
        )
    if Profile(options.profile) is Profile.FULL:  # no slot follows: what was said is the limit
        endpoints = [replace(each, interval_s=each.timeout_s) for each in endpoints]
    names = [each.name for each in endpoints]
    return tuple(
        replace(each, name=shown_url(each.url).partition("://")[2]) if names.count(each.name) > 1 else each
        for each in endpoints
    )


def _configured(options: argparse.Namespace) -> Selection:
    from prober.cli.config import unusable
    from prober.settings import ConfigError, load

    _refuse_what_the_file_says(options)
    try:
        settings = load(options.config, os.environ)
    except ConfigError as error:
        raise unusable(error) from None
    chosen = _chosen(settings.endpoints, options)
    if not chosen:
        raise CommandError(f"no endpoint of {options.config} is chosen", "look at its names and labels")
    return Selection(tuple(_as_asked(each, options) for each in chosen), settings)


def _refuse_what_the_file_says(options: argparse.Namespace) -> None:
    given = [name for name in _OF_ADDRESSES if getattr(options, name) not in (None, False, [])]
    given += [name for name in ("transport", "era") if getattr(options, name) != "auto"]
    given += ["streaming"] if options.streaming is not None else []
    if given:
        words = listed([f"--{name.replace('_', '-')}" for name in given])
        raise CommandError(
            f"{words}: the configuration describes its endpoints", "write it there, or leave out --config"
        )
    ways = [bool(options.targets), bool(options.label), options.all]
    if sum(ways) != 1:
        raise CommandError("names, --label and --all are three ways to choose", "take one of them")


def _chosen(endpoints: Sequence[Endpoint], options: argparse.Namespace) -> list[Endpoint]:
    """By name also one that is not enabled: whoever names it wants it asked."""
    if options.targets:
        known = {each.name: each for each in endpoints}
        unknown = [name for name in options.targets if name not in known]
        if unknown:
            raise CommandError(f"{options.config} has no endpoint {listed(unknown)}", f"it has {listed(list(known))}")
        return [known[name] for name in dict.fromkeys(options.targets)]
    wanted = [_label(each) for each in options.label]
    return [each for each in endpoints if each.enabled and _has(each.labels, wanted)]


def _label(written: str) -> tuple[str, str]:
    key, equals, value = written.partition("=")
    if not (key and equals):
        raise CommandError("--label wants KEY=VALUE", "such as --label team=payments")
    return key, value


def _has(labels: Mapping[str, str], wanted: Sequence[tuple[str, str]]) -> bool:
    return all(labels.get(key) == value for key, value in wanted)


def _as_asked(endpoint: Endpoint, options: argparse.Namespace) -> Endpoint:
    tools = tuple(dict.fromkeys((*endpoint.expected_tools, *expected_tools(options))))
    seconds = endpoint.timeout_s if options.timeout is None else timeout_s(options)
    return replace(endpoint, expected_tools=tools, timeout_s=seconds)
