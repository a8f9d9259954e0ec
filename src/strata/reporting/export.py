"""Charges in the form of another program: the promise of the files in `exports/`.

Each of those files offers `make(tenant) -> Export`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from strata import plugins
from strata.errors import Invalid
from strata.reporting.cost import Charge


class Export(Protocol):
    """`media` is the media type of what is written."""

    @property
    def media(self) -> str: ...

    def write(self, charges: Iterable[Charge]) -> Iterator[str]:
        """The charges in lines, with the line ends, a heading first where the form has one."""
        ...


def load(form: str, tenant: str) -> Export:
    """The export of that name; raises `Invalid` naming the choices."""
    forms = plugins.available("export")
    if form not in forms:
        raise Invalid(f"no export called {form!r}; there are {', '.join(forms)}")
    export: Export = plugins.find("export", form).make(tenant)
    return export
