"""Forms with files (multipart/form-data): tells their fields; replaces one, and leaves every other byte as it came.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import re

from strata.errors import Invalid
from strata.types import Json

BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
DISPOSITION = re.compile(rb"^content-disposition:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
MAX_FIELD = 64 * 1024
PARAMETER = re.compile(rb';\s*([\w*-]+)=("[^"]*"|[^;"]*)')


def with_field(content_type: str, body: bytes, name: str, value: str) -> bytes:
    """The form with the field set to the value, appended where it was not there. Raises `Invalid`."""
    mark, parts = _parts(content_type, body)
    field = b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value.encode() + b"\r\n"
    kept = [part for part in parts if _name(part) != name.encode()]
    return mark.join([body.partition(mark)[0], field, *kept, body.rpartition(mark)[2]])


def fields(content_type: str, body: bytes) -> Json:
    """The form's fields as texts; of a file, its name and its size in bytes. Raises `Invalid`."""
    found: Json = {}
    for part in _parts(content_type, body)[1]:
        head, _, value = part.partition(b"\r\n\r\n")
        value = value.removesuffix(b"\r\n")
        name = _name(part).decode("utf-8", "replace")
        filename = _parameter(head, b"filename")
        if filename is not None:
            found[name] = {"filename": filename.decode("utf-8", "replace"), "bytes": len(value)}
        elif len(value) <= MAX_FIELD:
            found[name] = value.decode("utf-8", "replace")
        else:
            raise Invalid(f"the field {name!r} has more than {MAX_FIELD} bytes")
    return found


def _parts(content_type: str, body: bytes) -> tuple[bytes, list[bytes]]:
    """The boundary, and what stands between two of them."""
    found = BOUNDARY.search(content_type)
    if found is None:
        raise Invalid("a form with files needs 'multipart/form-data' with a boundary")
    mark = b"--" + (found[1] or found[2]).encode()
    parts = body.split(mark)
    if len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise Invalid("the form with files does not end as its boundary says")
    return mark, parts[1:-1]


def _parameter(head: bytes, wanted: bytes) -> bytes | None:
    found = DISPOSITION.search(head)
    parameters = PARAMETER.findall(found[1]) if found else []
    return next((value.strip(b'" ') for name, value in parameters if name.lower() == wanted), None)


def _name(part: bytes) -> bytes:
    return _parameter(part.partition(b"\r\n\r\n")[0], b"name") or b""
