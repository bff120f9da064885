"""`mcp-prober access`: who may log in to the dashboard, and the tokens of programs."""

import argparse
import getpass
import json
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from checks.encode import as_json
from checks.text import clean
from prober import values
from prober.cli.credentials import checked
from prober.cli.database import add_database_arguments, in_database, migrated_url, settings_of
from prober.cli.dispatch import Parser
from prober.cli.errors import CommandError, ExitCode
from prober.cli.muting import moment_in_words
from prober.cli.person import author
from prober.clock import SystemClock
from prober.secrets import passwords
from prober.secrets.passwords import PasswordRefused
from prober.settings import DashboardSettings
from prober.storage import audit, failed_logins, logins, people, setup_tokens, tokens
from prober.storage.people import Person, PersonRefused, Role, Source
from prober.storage.tokens import LONGEST, NoSuchToken, Token

SCHEMA_VERSION: Final = 1

SCOPES: Final = ("read", "operate", "manage")
"""What a token may do; `dashboard.access.permissions` has the same words."""
SHORTEST: Final = timedelta(minutes=1)
USUAL: Final = "90d"
FOR_EVER: Final = "never"

_Found = TypeVar("_Found")


def add_arguments(parser: Parser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", dest="action")
    parser.default_action = "list"
    parser.examples = (
        "mcp-prober access add ada --role operator",
        "mcp-prober access token add pipeline --scope operate",
    )
    listing = actions.add_parser(
        "list", help="list people and tokens (where no action is named)", description="Lists people and tokens."
    )
    listing.add_argument(
        "--format", choices=("text", "json"), default="text", help="form of the list on stdout (default: %(default)s)"
    )
    add = actions.add_parser("add", help="let somebody in", description="Lets somebody in, with a password.")
    role = actions.add_parser("role", help="let somebody do more or less", description="Gives somebody another role.")
    password = actions.add_parser(
        "password",
        help="give somebody another password",
        description="Gives somebody another password; their logins end.",
    )
    disable = actions.add_parser("disable", help="let somebody in no more", description="Lets somebody in no more.")
    enable = actions.add_parser("enable", help="let somebody in again", description="Lets somebody in again.")
    remove = actions.add_parser("remove", help="forget somebody", description="Forgets somebody and ends their logins.")
    for each in (add, role, password, disable, enable, remove):
        each.add_argument("name", metavar="NAME", help="whom")
    for each in (add, role):
        each.add_argument("--role", choices=[each.value for each in Role], required=True, help="what they may do")
    for each in (add, password):
        each.epilog = "The password is asked for; in a pipe, it is the first line of standard input."
    setup = actions.add_parser(
        "setup",
        help="print a new link by which the first admin chooses a password",
        description="Prints a new link by which the first admin chooses a password.",
    )
    setup.epilog = "It counts once, for an hour, and the one before no more."
    for each in (listing, add, role, password, disable, enable, remove, setup):
        add_database_arguments(each)
    _add_token_arguments(actions.add_parser("token", help="add or revoke the token of a program"))


def _add_token_arguments(parser: Parser) -> None:
    parser.description = "Adds and revokes tokens of programs."
    actions = parser.add_subparsers(metavar="ACTION", dest="token_action", required=True)
    add = actions.add_parser("add", help="make one", description="Makes a token, which is shown once.")
    add.add_argument("name", metavar="NAME", help="by which people know what uses it")
    add.add_argument("--scope", choices=SCOPES, action="append", required=True, help="what it may do (repeatable)")
    add.add_argument(
        "--expires", metavar="TIME", default=USUAL, help=f"such as 30d, or {FOR_EVER} (default: %(default)s)"
    )
    revoke = actions.add_parser("revoke", help="let one open nothing any more", description="Revokes a token.")
    revoke.add_argument("id", metavar="ID", help="as the list shows it, or its beginning")
    for each in (add, revoke):
        add_database_arguments(each)


def run(options: argparse.Namespace) -> int:
    if options.action == "token":
        doing = {"add": _add_token, "revoke": _revoke_token}[options.token_action]
    else:
        doing = {
            "list": _list, "add": _add, "role": _role, "password": _password, "disable": _disable, "enable": _enable,
            "remove": _remove, "setup": _setup,
        }[options.action]  # fmt: skip
    print(doing(options))
    return ExitCode.UP


def table(everybody: Sequence[Person], known: Sequence[Token]) -> str:
    """A line for each person, then one for each token that nobody has revoked."""
    return "\n".join([*_lines(everybody, known)])


def document(everybody: Sequence[Person], known: Sequence[Token]) -> str:
    """The same for machines, with the tokens that are revoked."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "people": [
                {
                    "name": each.name,
                    "role": each.role.value,
                    "source": each.source.value,
                    "seen_at": as_json(each.seen_at),
                    "disabled_at": as_json(each.disabled_at),
                    "refused_at": as_json(each.refused_at),
                }
                for each in everybody
            ],
            "tokens": [
                {
                    "id": str(each.id),
                    "name": as_json(each.name),
                    "scopes": list(each.scopes),
                    "opens": list(each.opens),
                    "created_by": as_json(each.created_by),
                    "expires_at": as_json(each.expires_at),
                    "used_at": as_json(each.used_at),
                    "revoked_at": as_json(each.revoked_at),
                }
                for each in known
            ],
        },
        indent=2,
    )


def _lines(everybody: Sequence[Person], known: Sequence[Token]) -> Iterator[str]:
    if not everybody:
        yield "nobody may log in yet: mcp-prober access setup prints a link for the first admin"
    width = max((len(each.name) for each in everybody), default=0)
    for each in everybody:
        seen = "never logged in" if each.seen_at is None else f"last login {moment_in_words(each.seen_at)}"
        vouched = "" if each.source is Source.PASSWORD else f", by {each.source.value}"
        state = ", disabled" if each.disabled_at else ", in no group that may come in" if each.refused_at else ""
        yield f"{each.name:<{width}}  {each.role.value:<8}  {seen}{vouched}{state}"
    now = SystemClock().now()
    for token in known:
        if token.revoked_at is None:
            said = _of_token(token, expired=token.is_over(now))
            yield f"token {str(token.id)[:8]}  {clean(token.name, 60)}  {said}"


def _of_token(token: Token, *, expired: bool) -> str:
    used = "never used" if token.used_at is None else f"last used {moment_in_words(token.used_at)}"
    ends = "for ever" if token.expires_at is None else f"until {moment_in_words(token.expires_at)}"
    rests = "" if token.opens else f"  rests: {token.created_by} may not do that now"
    made = f"made by {token.created_by}"
    return f"{', '.join(token.opens or token.scopes)}  {'expired' if expired else ends}  {used}  {made}{rests}"


def _list(options: argparse.Namespace) -> str:
    async def reading(db: AsyncEngine) -> tuple[Sequence[Person], Sequence[Token]]:
        return await people.everybody(db), await tokens.everyone(db)

    everybody, known = in_database(migrated_url(options), reading)
    return (document if options.format == "json" else table)(everybody, known)


def _add(options: argparse.Namespace) -> str:
    url = migrated_url(options)
    role, password = Role(options.role), _password_for(options.name)
    with _refusals():
        in_database(
            url,
            _changing(
                "person.add",
                options.name.lower(),
                lambda change: people.add(change, options.name, role, password=password, by=author().name),
                {"role": role.value, "source": Source.PASSWORD.value},
            ),
        )
    return f"{clean(options.name, 100)}: may log in as {role.value}"


def _role(options: argparse.Namespace) -> str:
    role = Role(options.role)

    async def giving(change: AsyncConnection) -> Person:
        person = await _with_password(change, options.name, "the role comes from whoever vouches for the person")
        return await people.set_role(change, person.name, role)

    _change(options, "person.role", giving, {"role": role.value})
    return f"{clean(options.name, 100)}: is {role.value} from the next request on"


def _password(options: argparse.Namespace) -> str:
    url, password = migrated_url(options), _password_for(options.name)

    async def setting(change: AsyncConnection) -> int:
        person = await _with_password(change, options.name, "that person has no password here")
        await people.set_password(change, person.id, password)
        await failed_logins.forgive(change, person.name)
        return await logins.end_all(change, person.id)

    with _refusals():
        ended = in_database(url, _changing("person.password", options.name.lower(), setting))
    return f"{clean(options.name, 100)}: has another password; ended logins: {ended}"


def _disable(options: argparse.Namespace) -> str:
    async def disabling(change: AsyncConnection) -> int:
        return await logins.end_all(change, (await people.disable(change, options.name)).id)

    ended = _change(options, "person.disable", disabling)
    return f"{clean(options.name, 100)}: may log in no more; ended logins: {ended}"


def _enable(options: argparse.Namespace) -> str:
    _change(options, "person.enable", lambda change: people.enable(change, options.name))
    return f"{clean(options.name, 100)}: may log in again"


def _remove(options: argparse.Namespace) -> str:
    async def removing(change: AsyncConnection) -> int:
        person = await people.remove(change, options.name)
        return len(await tokens.revoke_all_of(change, person.name, author=author()))

    revoked = _change(options, "person.remove", removing)
    return f"{clean(options.name, 100)}: is forgotten, but for what stands in the audit log; revoked tokens: {revoked}"


def _setup(options: argparse.Namespace) -> str:
    async def offering(db: AsyncEngine) -> str | None:
        async with db.connect() as connection:
            if await people.has_admin(connection):
                return None
        async with audit.change(db, author(), "setup.offer", "the first admin") as connection:
            return await setup_tokens.offer(connection)

    secret = in_database(migrated_url(options), offering)
    if secret is None:
        raise CommandError("there is an admin already", "mcp-prober access password NAME gives one another password")
    place = address(settings_of(options).dashboard)
    return f"{place}/setup#{secret}\nIt counts once, for an hour."


def address(dashboard: DashboardSettings) -> str:
    """Where people find the dashboard, as far as the configuration tells."""
    if dashboard.public_url is not None:
        return dashboard.public_url.rstrip("/")
    host = f"[{dashboard.host}]" if ":" in dashboard.host else dashboard.host
    return f"http://{host}:{dashboard.port}"


def _add_token(options: argparse.Namespace) -> str:
    name, lasts = options.name.strip(), _lasts(options.expires)
    if not 1 <= len(name) <= tokens.NAME_KEPT:
        raise CommandError(f"a token has a name of up to {tokens.NAME_KEPT} characters", "such as deploy-pipeline")
    scopes, now = sorted(set(options.scope)), SystemClock().now()
    expires_at = None if lasts is None else now + lasts
    detail = {"scopes": scopes, "until": None if expires_at is None else expires_at.isoformat()}
    _, secret = in_database(
        migrated_url(options),
        _changing(
            "token.add",
            name,
            lambda change: tokens.add(change, name, scopes, now=now, expires_at=expires_at, by=author().name),
            detail,
        ),
    )
    print("This is shown once, and kept nowhere:", file=sys.stderr)
    return secret


def _revoke_token(options: argparse.Namespace) -> str:
    async def revoking(db: AsyncEngine) -> Token | None:
        found = [each for each in await tokens.everyone(db) if str(each.id).startswith(options.id.lower())]
        open_ones = [each for each in found if each.revoked_at is None]
        if len(open_ones) != 1 or not options.id:
            return None
        return await _revoked(db, open_ones[0].id)

    try:
        revoked = in_database(migrated_url(options), revoking)
    except NoSuchToken:
        revoked = None
    if revoked is None:
        raise CommandError(f"no single token has the id {clean(options.id, 40)}", "mcp-prober access lists them")
    return f"{clean(revoked.name, 100)}: opens nothing any more"


async def _revoked(db: AsyncEngine, token: UUID) -> Token:
    async with db.begin() as connection:
        revoked = await tokens.revoke(connection, token, now=SystemClock().now(), by=author().name)
        await audit.note(connection, author(), "token.revoke", revoked.name, {"token": str(token)})
        return revoked


def _change(
    options: argparse.Namespace,
    action: str,
    work: Callable[[AsyncConnection], Awaitable[_Found]],
    detail: Mapping[str, object] | None = None,
) -> _Found:
    """Do it to whom the options name. Raises CommandError for what storage says about them."""
    with _refusals():
        return in_database(migrated_url(options), _changing(action, options.name.lower(), work, detail))


def _changing(
    action: str,
    subject: str,
    work: Callable[[AsyncConnection], Awaitable[_Found]],
    detail: Mapping[str, object] | None = None,
) -> Callable[[AsyncEngine], Awaitable[_Found]]:
    """Do it with its row of the audit log."""

    async def changing(db: AsyncEngine) -> _Found:
        async with audit.change(db, author(), action, subject.strip(), detail) as connection:
            return await work(connection)

    return changing


async def _with_password(change: AsyncConnection, name: str, otherwise: str) -> Person:
    person = await people.named(change, name)
    if person.source is not Source.PASSWORD:
        raise PersonRefused(f"{otherwise} ({person.source.value}).")
    return person


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except PersonRefused as refused:
        raise CommandError(str(refused), "mcp-prober access lists people") from None


def _password_for(name: str) -> str:
    """The hash of the password that is typed, or read from a pipe. Raises CommandError for one that is not taken."""
    if sys.stdin.isatty():
        written = getpass.getpass(f"password of {clean(name, 100)}: ")
        if getpass.getpass("once more: ") != written:
            raise CommandError("the two are not the same", "nothing was changed")
    else:
        written = sys.stdin.readline(passwords.LONGEST + 2).rstrip("\r\n")
    try:
        return passwords.hashed(passwords.accepted(written, of=name.strip().lower()))
    except PasswordRefused as refused:
        raise CommandError(str(refused), "nothing was changed") from None


def _lasts(text: str) -> timedelta | None:
    if text == FOR_EVER:
        return None
    lasts = timedelta(seconds=checked("--expires", values.duration_s, text))
    if not SHORTEST <= lasts <= LONGEST:
        raise CommandError("--expires is out of range: 1 minute to 366 days", f"such as 30d, or {FOR_EVER}")
    return lasts
