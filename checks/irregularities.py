"""What can be odd about an answer's bytes, in codes: the JSON values that are read from them no longer show it.

Where the message is kept, clients differ in what they make of it; where it is not, most of them cannot read it, and the
body beside it shows what it was.
"""

from enum import StrEnum


class Irregular(StrEnum):
    """The values of `Irregularity.code`: public vocabulary, which does not change once released."""

    BOM = "bom"
    """A byte order mark before the JSON (RFC 8259 section 8.1 forbids it). The message is kept."""
    DUPLICATE_KEY = "duplicate-key"
    """An object names a member twice, of which parsers keep the last, the first or none (RFC 8259 section 4). Kept."""
    LONE_SURROGATE = "lone-surrogate"
    """A string holds half a UTF-16 pair, which no UTF-8 can carry on (RFC 8259 section 8.2). Kept."""
    NUL = "nul"
    """A string holds U+0000, which databases and C libraries cut or refuse. Kept."""
    BAD_ENCODING = "bad-encoding"
    """Bytes that are not UTF-8. A JSON body is not kept; in an event, U+FFFD stands in their place."""
    JSON_NON_STANDARD = "json-non-standard"
    """NaN, an infinity, or a number beyond what a double or 4,300 digits can hold. Not kept."""
    NOT_JSON = "not-json"
    """What is declared as JSON, or comes as an event's data, is none, or has something after it. Not kept."""
    COMPRESSED = "compressed"
    """The body is packed although the request asks for it plain (RFC 9110 section 12.5.3). It is unpacked, and kept."""
    TRAILING_BYTES = "trailing-bytes"
    """More bytes came on the connection than the answer has. They are not read, the connection is closed."""
    TOO_MANY_ADDRESSES = "too-many-addresses"
    """The name has more addresses than `Limits.dns_answers`; those beyond are neither checked nor connected to."""
