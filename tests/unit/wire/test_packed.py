"""Bodies that are compressed although nobody asked: unpacked as clients do, within bounds, and told when broken."""

import gzip
import zlib
from itertools import islice

import pytest

from checks.model import Failure
from prober.net.failures import NetError
from prober.wire.packed import Unpacker, unpacks

TEXT = b'{"jsonrpc":"2.0","id":1,"result":{}}' * 100
LIMIT = 1024 * 1024


def bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def unpacked(encoding: str, *parts: bytes, limit: int = LIMIT) -> bytes:
    unpacker = Unpacker(encoding, limit)
    text = b"".join(piece for part in parts for piece in unpacker.feed(part))
    unpacker.end()
    return text


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("gzip", gzip.compress(TEXT), id="gzip"),
        pytest.param("x-gzip", gzip.compress(TEXT), id="gzip under its old name"),
        pytest.param("gzip", gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:]), id="two members"),
        pytest.param("deflate", zlib.compress(TEXT), id="deflate in its frame"),
        pytest.param("deflate", bare(TEXT), id="deflate without one"),
    ],
)
def test_a_body_is_unpacked_however_it_is_cut(encoding: str, packed: bytes) -> None:
    assert unpacks(encoding)
    assert unpacked(encoding, packed) == TEXT
    assert unpacked(encoding, *(packed[at : at + 1] for at in range(len(packed)))) == TEXT


def test_what_was_flushed_is_there_at_once() -> None:
    packer, unpacker = zlib.compressobj(wbits=31), Unpacker("gzip", LIMIT)
    first = packer.compress(b"data: 1\n\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    assert b"".join(unpacker.feed(first)) == b"data: 1\n\n"


def test_little_that_unpacks_to_much_is_given_up_at_the_limit() -> None:
    bomb = gzip.compress(bytes(16 * LIMIT)) * 16
    with pytest.raises(NetError) as failed:
        unpacked("gzip", bomb)
    assert (failed.value.error.failure, failed.value.error.reason) == (Failure.LIMIT, "body-too-large")
    assert sum(map(len, islice(Unpacker("gzip", LIMIT).feed(bomb), 16))) == LIMIT


def test_members_are_unpacked_up_to_a_number_that_holds_nothing_up() -> None:
    assert unpacked("gzip", gzip.compress(b"1") * 1000) == b"1" * 1000
    with pytest.raises(NetError, match="more than 1,000 members") as failed:
        unpacked("gzip", gzip.compress(b"") * 20_000)
    assert failed.value.error.failure is Failure.LIMIT


@pytest.mark.parametrize("size", [65_536, 65_537, 66_050, 131_172])
def test_what_is_left_within_the_unpacker_comes_out_too(size: int) -> None:
    assert unpacked("deflate", bare(bytes(size))) == bytes(size)


@pytest.mark.parametrize("trailing", [b"\0", bytes(3), b"\r\n", b"\x1f", b"more"], ids=repr)
@pytest.mark.parametrize("packed", [gzip.compress(TEXT), zlib.compress(TEXT), bare(TEXT)], ids=["gzip", "zlib", "bare"])
def test_what_trails_a_packed_body_is_left_as_clients_leave_it(packed: bytes, trailing: bytes) -> None:
    encoding = "gzip" if packed.startswith(b"\x1f") else "deflate"
    assert unpacked(encoding, packed + trailing) == TEXT
    assert unpacked(encoding, packed, *(bytes([each]) for each in trailing)) == TEXT


@pytest.mark.parametrize(
    ("encoding", "body", "words"),
    [
        pytest.param("gzip", TEXT, "not the gzip", id="plain"),
        pytest.param("deflate", TEXT, "not the deflate", id="plain, as deflate"),
        pytest.param("deflate", gzip.compress(TEXT), "not the deflate", id="the other kind"),
        pytest.param("gzip", gzip.compress(TEXT)[:-9], "ends too early", id="cut short"),
        pytest.param("gzip", b"\x1f", "ends too early", id="one byte"),
        pytest.param("gzip", gzip.compress(TEXT)[:-8] + b"12345678", "not the gzip", id="a wrong sum"),
    ],
)
def test_a_body_that_is_not_packed_as_declared_is_told(encoding: str, body: bytes, words: str) -> None:
    with pytest.raises(NetError, match=words) as failed:
        unpacked(encoding, body)
    assert (failed.value.error.failure, failed.value.error.reason) == (Failure.PROTOCOL, "broken-encoding")


def test_an_empty_body_needs_no_unpacking_and_other_encodings_are_not_unpacked() -> None:
    assert unpacked("gzip") == b""
    assert not any(map(unpacks, ("br", "zstd", "compress", "gzip, gzip")))
