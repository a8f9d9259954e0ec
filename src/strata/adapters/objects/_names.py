"""Which names an object may have: the same rule for every store, so that moving between stores never breaks a name."""

from __future__ import annotations

from strata.errors import Invalid

LONGEST_NAME = 900
LONGEST_SEGMENT = 255


def checked(name: str) -> str:
    """The name itself, or `Invalid` for one that is empty, climbs (`..`), begins or ends with a slash, holds control
    characters or a backslash, or is longer than 900 bytes (255 a segment).
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise Invalid("an object's name must be valid Unicode") from None
    segments = name.split("/")
    if not 0 < size <= LONGEST_NAME or any(len(segment.encode()) > LONGEST_SEGMENT for segment in segments):
        raise Invalid(
            f"an object's name has 1 to {LONGEST_NAME} bytes, at most {LONGEST_SEGMENT} between slashes; this has {size}"
        )
    if any(segment in {"", ".", ".."} for segment in segments):
        raise Invalid(f"an object's name has no empty, '.' or '..' segments and no slash at its ends: {name!r}")
    if "\\" in name or not name.isprintable():
        raise Invalid(f"an object's name has no backslash and no control characters: {name!r}")
    return name
