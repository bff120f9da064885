"""What waits in the spool, and how it lies in a file. Pure: bytes in, bytes out.

A spool file is a segment: a header, then frames, nothing else; it is only ever appended to. All numbers are
little-endian.

    header   magic 8 | version 2 | zero 2 | salt 4 | CRC32 of these 16 bytes 4
    frame    magic 4 | length 4 | check 4 | CRC32 4 | body of `length` bytes
    body     length of what follows 4 | what is known of the record, as JSON | the payload

`check` is the CRC32 of magic and length, so that a damaged length is known without reading what it spans. Every CRC of
a frame starts from the salt, a number drawn for each segment: what a server sent is inside payloads, and without the
salt nobody can send what would be taken for a frame after damage around it. The salt is in the file's name too, in
case the header is damaged.

A reader skips what is damaged up to the next frame that is whole. The version belongs to the segment: a release reads
all versions before its own, and leaves a file of a later one where it is.
"""

import json
import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final

VERSION: Final = 1
HEADER_MAGIC: Final = b"\x89MCPSPL\n"
FRAME_MAGIC: Final = b"\xff\xfeR\xfd"
"""With bytes that no text in UTF-8 has."""
HEADER: Final = struct.Struct("<8sHHI")
FRAME: Final = struct.Struct("<4sI")
CHECKS: Final = struct.Struct("<II")
NUMBER: Final = struct.Struct("<I")
HEADER_BYTES: Final = HEADER.size + NUMBER.size
FRAME_BYTES: Final = FRAME.size + CHECKS.size
MOST_BODY_BYTES: Final = 32 * 1024 * 1024
"""A longer record is refused: it is a mistake of ours, or a damaged length."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Weight(IntEnum):
    """How much an entry tells; what tells least goes first when there is no room."""

    SUCCESS = 0
    """One more of many of the same, and the endpoint is up."""
    REPETITION = 1
    """One more of many of the same."""
    FOLLOWING = 2
    """One of the first of its tone: incidents are decided on these."""
    CHANGE = 3
    """The first of its tone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One report on its way to the database."""

    key: str
    """Who it is about: entries of one key keep their order."""
    slot: datetime
    tone: str
    """Verdict and cause: an entry of the same tone as the one before it tells little new."""
    is_up: bool
    """Nothing is wrong: such entries are the first to be counted instead of kept."""
    payload: bytes
    """The record with its evidence."""
    slim: bytes
    """The record without evidence, written instead when room is short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is written of an entry, or of a run of entries of one key and tone."""

    key: str
    tone: str
    weight: Weight
    payload: bytes
    """Of the first entry, where it stands for a run."""
    first_slot: datetime
    last_slot: datetime
    count: int = 1
    """How many entries it stands for; the same as slots, if none between the two was left out."""

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return len(self.payload) + len(self.key) + len(self.tone) + 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A record that waits to be saved, as `Spool.next` hands it out."""

    position: int
    """Its place in the order, for as long as this spool is open."""
    record: Record

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def payload(self) -> bytes:
        return self.record.payload

    @property
    def first_slot(self) -> datetime:
        return self.record.first_slot

    @property
    def last_slot(self) -> datetime:
        return self.record.last_slot

    @property
    def count(self) -> int:
        return self.record.count


class UnknownVersion(Exception):
    """A later release wrote this segment."""

    def __init__(self, version: int) -> None:
        super().__init__(f"written by a later release (format {version}, this one reads up to {VERSION})")
        self.version = version


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What was found in a segment."""

    records: tuple[Record, ...]
    damaged: int
    """Stretches between whole frames that could not be read. An end that was torn off is none: it is what a writer
    leaves that was killed, and nobody was told that it was kept."""


def header(salt: int) -> bytes:
    """The beginning of a segment."""
    start = HEADER.pack(HEADER_MAGIC, VERSION, 0, salt)
    return start + NUMBER.pack(zlib.crc32(start))


def frame(record: Record, salt: int) -> bytes:
    """The record as it is written. Raises ValueError if it is too long."""
    known = json.dumps(_known(record), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    length = NUMBER.size + len(known) + len(record.payload)
    if length > MOST_BODY_BYTES:
        raise ValueError(f"a record of {length} bytes is too long for the spool")
    start = FRAME.pack(FRAME_MAGIC, length)
    check = zlib.crc32(start, salt)
    body = b"".join((NUMBER.pack(len(known)), known, record.payload))
    return b"".join((start, CHECKS.pack(check, zlib.crc32(body, check)), body))


def read(data: bytes, salt: int) -> Reading:
    """Every whole record of a segment; `salt` is the one in its name. Raises `UnknownVersion`."""
    salt = _salt(data, salt)
    records: list[Record] = []
    damaged, end = 0, HEADER_BYTES
    at = data.find(FRAME_MAGIC)
    while at >= 0:
        found = _frame_at(data, at, salt)
        if found is None:
            at = data.find(FRAME_MAGIC, at + 1)
            continue
        record, after = found
        damaged += at > end or record is None
        if record is not None:
            records.append(record)
        end = after
        at = data.find(FRAME_MAGIC, after)
    return Reading(records=tuple(records), damaged=damaged)


def _salt(data: bytes, named: int) -> int:
    if len(data) < HEADER_BYTES:
        return named
    magic, version, _, salt = HEADER.unpack_from(data)
    (crc,) = NUMBER.unpack_from(data, HEADER.size)
    if magic != HEADER_MAGIC or crc != zlib.crc32(data[: HEADER.size]):
        return named
    if version > VERSION:
        raise UnknownVersion(version)
    return int(salt)


def _frame_at(data: bytes, at: int, salt: int) -> tuple[Record | None, int] | None:
    """The record that begins here, and where it ends; None where no whole frame begins."""
    start, end = at + FRAME.size, at + FRAME_BYTES
    if end > len(data):
        return None
    _, length = FRAME.unpack_from(data, at)
    check, crc = CHECKS.unpack_from(data, start)
    if check != zlib.crc32(data[at:start], salt) or end + length > len(data):
        return None
    body = data[end : end + length]
    if crc != zlib.crc32(body, check):
        return None
    return _record(body), end + length


def _known(record: Record) -> list[Any]:
    slots = [(slot - _EPOCH) // _MICROSECOND for slot in (record.first_slot, record.last_slot)]
    return [record.key, record.tone, int(record.weight), *slots, record.count]


def _record(body: bytes) -> Record | None:
    """What a whole frame says; None where it is no record of ours."""
    try:
        (length,) = NUMBER.unpack_from(body)
        payload_at = NUMBER.size + length
        known = json.loads(body[NUMBER.size : payload_at].decode("utf-8", "surrogatepass"))
        key, tone, weight, first, last, count = known
        return Record(
            key=str(key),
            tone=str(tone),
            weight=Weight(weight),
            payload=body[payload_at:],
            first_slot=_EPOCH + first * _MICROSECOND,
            last_slot=_EPOCH + last * _MICROSECOND,
            count=int(count),
        )
    except (struct.error, ValueError, TypeError, OverflowError, RecursionError):
        return None
