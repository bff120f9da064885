"""The one shape of every error of the API (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"


class Fault(BaseModel):
    """One thing that is wrong with what was sent."""

    place: str = Field(description="Where: the path of a value, or the name of a parameter; empty for the whole.")
    message: str
    way_out: str = ""


class Problem(BaseModel):
    """Why something was not done."""

    type: str = Field(default="about:blank", description="Problems are told apart by their status.")
    title: str = Field(description="The words of the status.")
    status: int
    detail: str = Field(description="A sentence for people.")
    errors: list[Fault] = Field(default=[], description="Every fault of what was sent, where there are several.")


def answer(
    status: int, detail: str, *, errors: Sequence[Fault] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The problem as an answer."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    return JSONResponse(body.model_dump(), status, dict(headers or {}), media_type=MEDIA_TYPE)
