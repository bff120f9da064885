"""How an operation says that it cannot be done: one sentence, and the status that fits."""

from collections.abc import Sequence
from http import HTTPStatus

from starlette.exceptions import HTTPException

from prober.settings import Problem


def missing(problem: Exception | str) -> HTTPException:
    """What is to be changed is not there."""
    return HTTPException(HTTPStatus.NOT_FOUND, sentence(problem))


def conflict(problem: Exception | str) -> HTTPException:
    """It is there, and as it now is this cannot be done."""
    return HTTPException(HTTPStatus.CONFLICT, sentence(problem))


def unusable(problem: Exception | str) -> HTTPException:
    """What is asked for makes no sense, however things stand."""
    return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence(problem))


class Unusable(HTTPException):
    """Something that was written cannot be used; `problems` are its faults, each with its place and the way out."""

    def __init__(self, said: str, problems: Sequence[Problem]) -> None:
        super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, said)
        self.problems = tuple(problems)


def outdated(problem: Exception | str) -> HTTPException:
    """It is another one by now than whoever asks has seen."""
    return HTTPException(HTTPStatus.PRECONDITION_FAILED, sentence(problem))


def sentence(problem: Exception | str) -> str:
    """The text of a problem as a sentence."""
    said = str(problem).strip()
    return f"{said[:1].upper()}{said[1:]}" + ("" if said.endswith((".", "?", "!")) else ".")
