"""Signatures as Standard Webhooks specifies them."""

import base64

import pytest

from prober.notifiers.contract import NotifyError
from prober.notifiers.webhook import key_of, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_known_message_has_the_known_signature() -> None:
    # The example that the reference libraries of Standard Webhooks test themselves with.
    headers = dict(
        signed_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [key_of(SECRET, "env:X")])
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_a_secret_is_replaced_both_sign() -> None:
    headers = dict(signed_headers("id", 1, b"{}", [b"a" * 24, b"b" * 24]))
    first, second = headers["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    assert second.startswith("v1,")
    assert first != second


@pytest.mark.parametrize("size", [24, 32, 64])
def test_a_secret_may_come_without_its_prefix(size: int) -> None:
    text = base64.b64encode(b"k" * size).decode()
    assert key_of(text, "env:X") == key_of(f"whsec_{text}", "env:X") == b"k" * size


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "a password of mine", base64.b64encode(b"k" * 23).decode(), "whpk_" + "a" * 40, "ü" * 40]
)
def test_a_secret_that_receivers_would_read_in_another_way_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(NotifyError, match=r"^env:X does not hold a signing secret: put whsec_ and") as caught:
        key_of(secret, "env:X")
    assert caught.value.needs_mending
    assert not secret or secret == "whsec_" or secret not in str(caught.value)
