"""Where a connection leads, before there is one."""

import httpx
import pytest

from prober.net.dial import Origin


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://orders.example.com/mcp", "orders.example.com:80"),
        ("https://192.0.2.7/mcp", "192.0.2.7:443"),
        ("http://[2001:db8::1]:9000/mcp", "[2001:db8::1]:9000"),
        ("https://[::1]/mcp", "[::1]:443"),
    ],
)
def test_an_origin_is_written_as_in_an_address(url: str, shown: str) -> None:
    assert str(Origin.of(httpx.URL(url))) == shown
