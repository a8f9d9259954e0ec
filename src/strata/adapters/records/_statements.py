"""SQL statements by name, read from the .sql file beside the code that runs them."""

from __future__ import annotations

import re
from importlib.resources import files


def statements(package: str, name: str) -> dict[str, str]:
    """The file's statements: each begins with a line `-- :name`."""
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    _, *parts = re.split(r"^-- :(\w+).*$", text, flags=re.MULTILINE)
    return {key: body.strip() for key, body in zip(parts[::2], parts[1::2], strict=True)}
