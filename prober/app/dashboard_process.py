"""The dashboard as a child process: started again when it ends, on a socket that the parent keeps."""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from prober.app.children import Child
from prober.settings import Access, DashboardSettings
from prober.settings.vouching import VARIABLES
from prober.values import is_this_machine

log = logging.getLogger(__name__)

RESTART_PAUSE_S: Final = 2.0

_VOUCHES: Final = ("PROBER_DASHBOARD_OIDC_", "PROBER_DASHBOARD_PROXY_USER_HEADER")
_IN_FRONT: Final = ("PROBER_DASHBOARD_PROXY_TRUSTED",)
_JUDGED: Final = ("PROBER_DASHBOARD_OIDC_", "PROBER_DASHBOARD_PROXY_")
_NAMES_PEOPLE: Final = ("ADMIN_PASSWORD_FILE", *_VOUCHES)


class PortTaken(Exception):
    """The dashboard's address cannot be used. The message says why and what would work."""


class NotLoopback(Exception):
    """The dashboard was told to listen where others can reach it, and to ask nobody who they are."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"the dashboard is to ask nobody who they are (access: open), and {host} can be reached from other "
            "machines: let people log in (access: login), listen on 127.0.0.1, or say --insecure-no-auth if everybody "
            "there may change everything"
        )


class OpenAndVouched(Exception):
    """The dashboard was told to ask nobody who they are, and who says it."""

    def __init__(self, variable: str) -> None:
        super().__init__(
            "the dashboard is to ask nobody who they are (access: open, or --insecure-no-auth), and "
            f"{variable} is there for those who log in: remove one of the two"
        )


class EnvironmentRefused(Exception):
    """The dashboard cannot use what the environment says of those who vouch for people."""

    def __init__(self) -> None:
        super().__init__("the dashboard does not start with this environment; its own sentence above says why")


def access_at(
    host: str, settings: DashboardSettings, environment: Mapping[str, str], *, insecure_no_auth: bool = False
) -> Access:
    """Whether people log in where the dashboard listens on `host`. Raises NotLoopback and OpenAndVouched.

    They do wherever the configuration says so, and beyond this machine unless somebody insists. On this machine the
    dashboard is open as long as nothing in the configuration or the environment names people, and its public address is
    of this machine too: with another one, a proxy beside it lets everybody reach it.
    """
    if settings.access is Access.LOGIN:
        return Access.LOGIN
    named = told(settings, environment)
    is_local = is_this_machine(host)
    if settings.access is Access.OPEN and not is_local and not insecure_no_auth:
        raise NotLoopback(host)
    if settings.access is Access.OPEN or insecure_no_auth:
        for variable in _given(named, _VOUCHES):
            raise OpenAndVouched(variable if environment.get(variable, "").strip() else ".".join(VARIABLES[variable]))
        return Access.OPEN
    is_reached_from_here = is_local and (settings.public_url is None or _is_of_this_machine(settings.public_url))
    return Access.OPEN if is_reached_from_here and not names_people(named) else Access.LOGIN


def warn_of_plain_http(host: str, settings: DashboardSettings, environment: Mapping[str, str], access: Access) -> None:
    """Say in the log that passwords and tokens can be read on their way: the dashboard listens beyond this machine, and
    nothing says that TLS ends in front of it."""
    is_behind_tls = (settings.public_url or "").startswith("https://") or bool(
        _given(told(settings, environment), _IN_FRONT)
    )
    if access is Access.LOGIN and not is_this_machine(host) and not is_behind_tls:
        log.warning(
            "the dashboard speaks plain HTTP on %s: passwords and tokens can be read on their way. Put TLS in front of "
            "it and give its address as dashboard.public_url: https://..., or listen on 127.0.0.1",
            host,
        )


def told(settings: DashboardSettings, environment: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with what the configuration says in its place. A variable without a value says nothing there."""
    return {**settings.vouching, **{name: value for name, value in environment.items() if value.strip()}}


def names_people(environment: Mapping[str, str]) -> bool:
    """Whether a variable says who may log in: by a password, a provider or a proxy."""
    return bool(_given(environment, _NAMES_PEOPLE))


def vouches(environment: Mapping[str, str]) -> bool:
    """Whether a variable says who may log in without a password here."""
    return bool(_given(environment, _VOUCHES))


def _given(environment: Mapping[str, str], beginnings: tuple[str, ...]) -> list[str]:
    return sorted(name for name, value in environment.items() if name.startswith(beginnings) and value.strip())


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for the dashboard; port 0 lets the system choose. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PortTaken(
            f"the dashboard cannot listen on {host} port {port}: {reason}; choose another port with --port"
        ) from None
    return listener


def address(listener: socket.socket) -> str:
    """The URL under which a browser on this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - everywhere is here too
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _is_of_this_machine(url: str) -> bool:
    return is_this_machine(urlsplit(url).hostname or "")


def environment_of(url: str, settings: DashboardSettings, access: Access) -> Mapping[str, str]:
    """What the process takes from its environment: the database at `url`, and how people come in."""
    said = {
        "DATABASE_URL": url,
        "PROBER_DASHBOARD_ACCESS": access.value,
        "PROBER_DASHBOARD_LOGIN_IDLE": f"{settings.login_idle}s",
        "PROBER_DASHBOARD_LOGIN_LASTS": f"{settings.login_lasts}s",
    }
    said |= settings.vouching
    return {**said, **({"PROBER_DASHBOARD_PUBLIC_URL": settings.public_url} if settings.public_url else {})}


def blanked(whole: Mapping[str, str], own: Mapping[str, str]) -> Mapping[str, str]:
    """Variables of the prober that a child process inherits of `whole` and that are not meant for it, without a value:
    `own` is what it may have of them."""
    return {name: "" for name in whole if name.startswith("PROBER_") and name not in own}


async def check(environment: Mapping[str, str]) -> None:
    """Let the dashboard say once what is wrong with who vouches for people, in place of at each of its starts.

    Raises EnvironmentRefused. Costs a process, so only where there is something to judge.
    """
    if not _given({**os.environ, **environment}, _JUDGED):
        return
    child = await Child.start(
        "the dashboard's environment",
        ["-c", "from dashboard.app import create_app; create_app()"],
        environment=environment,
    )
    try:
        status = await child.wait()
    finally:
        await child.stop()
    if status != 0:
        raise EnvironmentRefused


async def keep_running(
    listener: socket.socket, environment: Mapping[str, str], *, pause_s: float = RESTART_PAUSE_S
) -> None:
    """Serve the dashboard on `listener` until cancelled. Its end, however it came, is logged and made good, and so is a
    start that the machine refuses: connections wait in the socket meanwhile."""
    while True:
        try:
            status = await _serve(listener, environment)
        except OSError as refused:
            log.error("the dashboard cannot be started: %s; it is tried again in %s s", refused.strerror, pause_s)  # noqa: TRY400 - a machine without memory or files is no bug
        else:
            log.error("the dashboard ended with status %s; it starts again in %s s", status, pause_s)
        await asyncio.sleep(pause_s)


async def _serve(listener: socket.socket, environment: Mapping[str, str]) -> int:
    """Serve it once. Returns the status with which it ended; raises OSError where it cannot be started."""
    child = await Child.start(
        "the dashboard",
        ["-m", "prober.cli", "serve", "--fd", str(listener.fileno())],
        environment=environment,
        pass_fds=(listener.fileno(),),
    )
    try:
        return await child.wait()
    finally:
        await child.stop()
