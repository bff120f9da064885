"""How an operation says that it cannot be done: one sentence, and the status that fits."""

from http import HTTPStatus

from starlette.exceptions import HTTPException


def missing(problem: Exception | str) -> HTTPException:
    """What is to be changed is not there."""
    return HTTPException(HTTPStatus.NOT_FOUND, sentence(problem))


def conflict(problem: Exception | str) -> HTTPException:
    """It is there, and as it now is this cannot be done."""
    return HTTPException(HTTPStatus.CONFLICT, sentence(problem))


def unusable(problem: Exception | str) -> HTTPException:
    """What is asked for makes no sense, however things stand."""
    return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, sentence(problem))


def sentence(problem: Exception | str) -> str:
    """The text of a problem as a sentence."""
    said = str(problem).strip()
    return f"{said[:1].upper()}{said[1:]}" + ("" if said.endswith((".", "?", "!")) else ".")
