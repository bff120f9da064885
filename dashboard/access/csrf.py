"""The field of every form that shows that a page of ours made it, for this very browser (CSRF).

It is an HMAC under the secret of the browser's cookie, over a salt that is another one on every page: compression of
pages that repeat what somebody asked for gives nothing away of it (BREACH).
"""

import hmac
import secrets
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request

FIELD: Final = "csrf"
HEADER: Final = "X-CSRF-Token"
_SALT: Final = 24
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


def token(secret: str) -> str:
    """What the field holds, for a browser whose cookie holds the secret."""
    salt = secrets.token_urlsafe(_SALT * 3 // 4)
    return salt + _mac(secret, salt)


def is_right(given: str, secret: str) -> bool:
    """Whether a field was made for that browser."""
    return hmac.compare_digest(given[_SALT:].encode(), _mac(secret, given[:_SALT]).encode())


async def shown(request: Request) -> str:
    """What a request brings as its field, or in the header of a script. Empty where there is neither."""
    if header := request.headers.get(HEADER):
        return header
    if not request.headers.get("content-type", "").lower().startswith(_FORMS):
        return ""
    field = (await request.form()).get(FIELD, "")
    return "" if isinstance(field, UploadFile) else field


def _mac(secret: str, salt: str) -> str:
    return hmac.digest(secret.encode(), salt.encode(errors="replace"), "sha256").hex()
