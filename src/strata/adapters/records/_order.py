"""The byte order of keys, as bounds of a search."""

from __future__ import annotations

NO_END = b""
"""Past all texts: SQLite sorts every text before every blob; other stores leave the bound out."""


def end(prefix: str) -> str | bytes:
    """The first text after all that begin with the prefix, in byte order."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at])
        if code < 0x10FFFF:
            return prefix[:at] + chr(0xE000 if code == 0xD7FF else code + 1)
    return NO_END
