"""The file channel: one line per notice, whole or not at all."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prober.incidents.notice import Notice
from prober.notifiers.catalog import settings_models
from prober.notifiers.contract import NotifyError, Tools
from prober.notifiers.file import FileSettings, LineFile
from prober.notifiers.forms import versioned
from prober.settings import NotifierSpec, notifier_settings


async def test_every_notice_is_a_line_of_versioned_json(
    make_notice: Callable[..., Notice], tools: Tools, tmp_path: Path
) -> None:
    path = tmp_path / "notices.jsonl"
    channel = LineFile(FileSettings(path=path), tools)
    await channel.send(make_notice())
    await channel.send(make_notice(title="with a\nbreak"))
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == versioned(make_notice(), "https://prober.example/")
    assert second["data"]["title"] == "with a break"


async def test_a_line_that_a_crash_cut_short_does_not_spoil_the_next(
    make_notice: Callable[..., Notice], tools: Tools, tmp_path: Path
) -> None:
    path = tmp_path / "notices.jsonl"
    path.write_text('{"id": "half')
    await LineFile(FileSettings(path=path), tools).send(make_notice())
    half, whole = path.read_text().splitlines()
    assert half == '{"id": "half'
    assert json.loads(whole)["data"]["endpoint"] == "orders"


async def test_a_directory_that_is_missing_is_said_and_tried_again(
    make_notice: Callable[..., Notice], tools: Tools, tmp_path: Path
) -> None:
    with pytest.raises(NotifyError, match="No such file or directory") as caught:
        await LineFile(FileSettings(path=tmp_path / "away" / "notices.jsonl"), tools).send(make_notice())
    assert not caught.value.permanent


async def test_a_full_disk_is_said_and_tried_again(make_notice: Callable[..., Notice], tools: Tools) -> None:
    with pytest.raises(NotifyError) as caught:
        await LineFile(FileSettings(path=Path("/dev/full")), tools).send(make_notice())
    assert not caught.value.permanent


def test_a_relative_path_begins_at_the_configuration_file(tmp_path: Path) -> None:
    spec = NotifierSpec(name="log", kind="file", options={"path": "notices.jsonl"}, directory=tmp_path)
    found, _ = notifier_settings([spec], settings_models())
    assert found == {"log": FileSettings(path=tmp_path / "notices.jsonl")}
