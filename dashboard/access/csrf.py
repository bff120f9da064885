"""The field of every form that shows that a page of ours made it, for this very browser (CSRF).

It is an HMAC under the secret of the browser's cookie. It is the same on every page of a login, so that a page that has
not changed is not swapped in anew. Compression gives nothing away of it (BREACH): browsers send a cookie with
`SameSite=Lax` with nothing that another site can ask for often.
"""

import hmac
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def token(secret: str) -> str:
    """What the field holds, for a browser whose cookie holds the secret."""
    return hmac.digest(secret.encode(), FIELD.encode(), "sha256").hex()


def is_right(given: str, secret: str) -> bool:
    """Whether a field was made for that browser."""
    return hmac.compare_digest(given.encode(errors="replace"), token(secret).encode())


async def shown(request: Request) -> str:
    """What a request brings as its field, or in the header of a script. Empty where there is neither."""
    if header := request.headers.get(HEADER):
        return header
    if not request.headers.get("content-type", "").lower().startswith(_FORMS):
        return ""
    field = (await request.form()).get(FIELD, "")
    return "" if isinstance(field, UploadFile) else field
