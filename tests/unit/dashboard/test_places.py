"""Proofs are marked where they are seen."""

import pytest

from dashboard.views.places import WHOLE, Marks, Part, Piece, Place, Seen, places

ANSWER = Seen(
    status=200,
    headers=(("Content-Type", "text/html; charset=utf-8"), ("x-amzn-RequestId", "5f0c"), ("Empty", "")),
    body='<html>\n<b>Hello "you"</b>',
    arrivals=3,
    has_wait=True,
    peer="198.51.100.7:443",
)
REFUSED = Seen(
    status=404, body='{"jsonrpc":"2.0","error":{"code":-32601,"message":"no \\"ping\\" here"}}', has_wait=True
)
LISTED = Seen(status=200, body='{"result":{"tools":[{"name":"add","inputSchema":{}}]}}')
LOST = Seen(failed_how=("connect", "refused", "connection refused"))


@pytest.mark.parametrize(
    ("proof", "seen", "found"),
    [
        (
            "initialize → HTTP 200, text/html, body of 26 bytes beginning “<html> <b>Hel…”",
            ANSWER,
            (Place(Part.BODY, 0, 13), Place(Part.HEADER, 0), Place(Part.STATUS)),
        ),
        ("x-amzn-requestid: 5f0c", ANSWER, (Place(Part.HEADER, 1),)),
        ('JSON-RPC error -32601 on HTTP 404: no "ping" here', REFUSED, (Place(Part.BODY, 51, 67), Place(Part.STATUS))),
        ("JSON-RPC error -32601 on HTTP 404: other words", REFUSED, (Place(Part.BODY, 17, 24), Place(Part.STATUS))),
        (
            'tools/list → a JSON-RPC result on HTTP 200: {"tools": [{"name": "add"…',
            LISTED,
            (Place(Part.BODY, 10, 33), Place(Part.STATUS)),
        ),
        (
            'tools/list → a JSON-RPC result on HTTP 200: {"other": ["words"]}',
            LISTED,
            (Place(Part.BODY, 1, 9), Place(Part.STATUS)),
        ),
        ("server/discover → connect (refused): connection refused", LOST, (Place(Part.ERROR),)),
        ("first wait 1,310 ms, from request sent to first byte", ANSWER, (Place(Part.WAIT),)),
        ("message 2 after 840 ms", ANSWER, (Place(Part.ARRIVAL, 1),)),
        ("message 9 after 840 ms", ANSWER, (WHOLE,)),
        ("first event at 1 ms, last event at 3 ms", ANSWER, (Place(Part.ARRIVAL, 0), Place(Part.ARRIVAL, 2))),
        ("address 198.51.100.7:443", ANSWER, (Place(Part.PEER),)),
        ("something else", ANSWER, (WHOLE,)),
        ("HTTP 500", ANSWER, (WHOLE,)),
        ("", Seen(), (WHOLE,)),
    ],
)
def test_a_proof_is_found_where_it_was_read(proof: str, seen: Seen, found: tuple[Place, ...]) -> None:
    assert places(proof, seen) == found


def test_zero_bytes_are_found_in_the_spelling_of_the_page() -> None:
    prelude = Seen(body="{}" + r"\u{0}" * 8 + "rest")
    assert places("eight zero bytes end the prelude at byte 2", prelude) == (Place(Part.BODY, 2, 42),)


def test_a_body_falls_into_pieces_at_the_borders_of_what_is_marked() -> None:
    marks = Marks({1: (Place(Part.BODY, 2, 6),), 2: (Place(Part.STATUS), Place(Part.BODY, 4, 8))})
    assert marks.pieces("0123456789") == (
        Piece("01"), Piece("23", (1,), (1,)), Piece("45", (1, 2)), Piece("67", (2,)), Piece("89"),
    )  # fmt: skip
    assert (marks.on("status"), marks.begins("status")) == ((2,), (2,))


def test_a_body_without_marks_is_one_piece_and_an_empty_one_none() -> None:
    assert Marks().pieces("abc") == (Piece("abc"),)
    assert Marks().pieces("") == ()
