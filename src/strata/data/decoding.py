"""Bytes of a text file to characters, whatever its author's machine wrote."""

from __future__ import annotations

import codecs
import re

from strata.data.media import wide
from strata.data.parser import Unreadable

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_WESTERN = re.compile(rb"[\x80-\xff]{3}|[\x00-\x08\x0e-\x1f\x81\x8d\x8f\x90\x9d]")
"""Western text has single letters and signs beyond ASCII, other scripts have whole words of them."""
_SAMPLE = 64 * 1024


def decode(data: bytes) -> str:
    """The text: by its byte order mark, else as UTF-8, else as Windows' Western encoding where
    no more than two such letters meet, else in the encoding that charset-normalizer finds likeliest.

    Raises `Unreadable` for an empty file and for bytes that are no text.
    """
    if not data.strip(b" \t\r\n\x00"):
        raise Unreadable("the file is empty")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    encoding = wide(data[:4096])
    if encoding:
        return data.decode(encoding, errors="replace")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _guess(data)
    return text


def _guess(data: bytes) -> str:
    from charset_normalizer import from_bytes

    if not _NOT_WESTERN.search(data):
        return data.decode("cp1252", errors="replace")
    best = from_bytes(data[:_SAMPLE]).best()
    if best is None:
        raise Unreadable("the file's bytes are not text in any known encoding")
    return data.decode(best.encoding, errors="replace")
