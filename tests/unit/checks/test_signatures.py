"""A signature that AWS refuses: whose it was, and whether our clock is to blame."""

import json
from datetime import timedelta
from email.utils import format_datetime

import pytest

from checks.model import Opening, SigV4, Verdict
from tests.unit.checks.conversations import endpoint, exchange, judge, refused

SIGNED = endpoint(sigv4=SigV4())
EXPIRED = "Signature expired: 20261120T110000Z is now earlier than 20261120T115500Z (20261120T120000Z - 5 min.)"
EARLY = "Signature not yet current: 20261120T130000Z is still later than 20261120T120500Z (20261120T120000Z + 5 min.)"
WRONG = "The request signature we calculated does not match the signature you provided."


def refusal(
    message: str, kind: str = "InvalidSignatureException", date: str = "Fri, 20 Nov 2026 12:00:00 GMT"
) -> Opening:
    """An opening that AWS refuses with this message."""
    body = json.dumps({"message": message}).encode()
    headers = (("x-amzn-ErrorType", kind), ("Date", date))
    return refused(exchange("server/discover", status=403, body=body, media="application/json", headers=headers))


@pytest.mark.parametrize("message", [EXPIRED, EARLY])
def test_a_clock_of_ours_that_is_off_is_no_outage_of_the_endpoint(message: str) -> None:
    report = judge(refusal(message), endpoint=SIGNED)
    (found,) = report.diagnoses
    assert (found.id, report.verdict, found.reproduce) == ("signature-rejected", Verdict.UNKNOWN, "")
    assert "Our own clock" in found.summary
    assert any("12:00:00 GMT" in proof.text for proof in found.evidence)


def test_the_same_words_about_somebody_else_s_signature_are_an_outage() -> None:
    report = judge(refusal(EXPIRED))
    (found,) = report.diagnoses
    assert (found.id, report.verdict) == ("signature-rejected", Verdict.DOWN)
    assert "CloudFront" in found.fix


def test_a_signature_of_ours_by_the_wrong_keys_is_about_keys_and_not_about_cloudfront() -> None:
    report = judge(refusal(WRONG), endpoint=SIGNED)
    (found,) = report.diagnoses
    assert (found.id, report.verdict) == ("signature-rejected", Verdict.DOWN)
    assert "CloudFront" not in found.fix
    assert "keys" in found.fix


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(-60, "unknown"), (-6, "unknown"), (0, "down"), (4, "down"), (6, "unknown")]
)
def test_clocks_that_differ_by_more_than_five_minutes_are_told_by_the_answers_date(minutes: int, verdict: str) -> None:
    theirs = exchange("server/discover").started_at + timedelta(minutes=minutes)
    report = judge(refusal(WRONG, date=format_datetime(theirs)), endpoint=SIGNED)
    assert report.verdict == verdict
    assert ("Our own clock" in report.diagnoses[0].summary) == (verdict == "unknown")


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Fri, 20 Nov 99999 12:00:00 GMT", f"Fri, 20 Nov {10**20} 12:00:00 GMT"]
)
def test_a_date_that_cannot_be_read_tells_nothing(date: str) -> None:
    assert judge(refusal(WRONG, date=date), endpoint=SIGNED).verdict == "down"


def test_credentials_of_ours_that_have_expired_are_no_outage_of_the_endpoint() -> None:
    report = judge(
        refusal("The security token included in the request is expired", "ExpiredTokenException"), endpoint=SIGNED
    )
    (found,) = report.diagnoses
    assert (found.id, report.verdict) == ("signature-rejected", Verdict.UNKNOWN)
    assert "AWS_SESSION_TOKEN" in found.fix


@pytest.mark.parametrize("kind", ["UnrecognizedClientException", ""])
def test_a_key_that_aws_does_not_know_is_renewed_as_a_key_and_not_as_a_token(kind: str) -> None:
    report = judge(refusal("The security token included in the request is invalid.", kind), endpoint=SIGNED)
    (found,) = report.diagnoses
    assert (found.id, report.verdict) == ("auth-rejected", Verdict.DOWN)
    assert "AWS does not know the access key" in found.summary
    assert "AWS_ACCESS_KEY_ID" in found.fix
    assert "token behind" not in found.fix


def test_a_text_that_is_cut_has_no_full_stop_after_it() -> None:
    report = judge(refusal("Signature expired: " + "long " * 200), endpoint=SIGNED)
    assert report.diagnoses[0].summary.endswith("…")
