"""Forms with files (multipart/form-data): replaces one field, and leaves every other byte as it came.

https://www.rfc-editor.org/rfc/rfc7578
"""

from __future__ import annotations

import re

from strata.errors import Invalid

BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
DISPOSITION = re.compile(rb"^content-disposition:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
PARAMETER = re.compile(rb';\s*([\w*-]+)=("[^"]*"|[^;"]*)')


def with_field(content_type: str, body: bytes, name: str, value: str) -> bytes:
    """The form with the field set to the value, appended where it was not there. Raises `Invalid`."""
    found = BOUNDARY.search(content_type)
    if found is None:
        raise Invalid("a form with files needs 'multipart/form-data' with a boundary")
    mark = b"--" + (found[1] or found[2]).encode()
    parts = body.split(mark)
    if len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise Invalid("the form with files does not end as its boundary says")
    field = b'\r\nContent-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value.encode() + b"\r\n"
    kept = [part for part in parts[1:-1] if _name(part) != name.encode()]
    return mark.join([parts[0], field, *kept, parts[-1]])


def _name(part: bytes) -> bytes:
    head = part.partition(b"\r\n\r\n")[0]
    found = DISPOSITION.search(head)
    parameters = PARAMETER.findall(found[1]) if found else []
    return next((value.strip(b'" ') for name, value in parameters if name.lower() == b"name"), b"")
