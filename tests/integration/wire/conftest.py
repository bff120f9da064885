"""Fixtures of the wire's tests: a prober on loopback, and certificates."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.wire.scripted import Certificates, Prober, make_certificates, make_prober


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    """Opens wires to loopback and closes them at the end."""
    made = make_prober()
    yield made
    await made.close()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)
