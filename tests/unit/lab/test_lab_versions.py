"""An alias that shares events out between versions of a function."""

import pytest

from prober.lab.front_doors.function_url import FunctionUrl
from prober.lab.http import Request
from prober.lab.runtime.function import Function
from prober.lab.runtime.in_process import HandlerInstance
from prober.lab.runtime.versions import Alias
from tests.unit.lab.conftest import Build, RecordingInstance

GET = Request(method="GET", target="/")


def version(name: str) -> Function:
    return Function(build=lambda: HandlerInstance(lambda event, context: name))


async def answers(alias: Alias, count: int) -> list[str]:
    url = FunctionUrl(function=alias)
    return [(await url(GET)).body.decode() for _ in range(count)]


@pytest.mark.parametrize(("chance", "chosen"), [(0.0, "old"), (0.89, "old"), (0.91, "new"), (0.999, "new")])
async def test_a_version_gets_its_share_of_the_events(chance: float, chosen: str) -> None:
    alias = Alias({version("old"): 9, version("new"): 1}, lambda: chance)
    assert await answers(alias, 1) == [chosen]


async def test_a_canary_answers_now_and_then() -> None:
    seen = await answers(Alias({version("old"): 0.8, version("new"): 0.2}), 100)
    assert 5 < seen.count("new") < 40


async def test_a_deploy_leaves_the_old_version_out_and_closing_ends_it_all_the_same(
    build: Build, instances: list[RecordingInstance]
) -> None:
    old, new = Function(build=build()), version("new")
    alias = Alias({old: 1})
    assert await answers(alias, 1) == ["null"]
    alias.route({new: 1})
    assert set(await answers(alias, 5)) == {"new"}
    await alias.close()
    assert instances[0].history[-1] == "stop"
