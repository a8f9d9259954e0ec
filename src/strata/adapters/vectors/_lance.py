"""Imports LanceDB without the client of remote catalogs, which takes longer than all the rest and is not used here.

That client's package imports every operation it knows when it is first named. An empty package in its place leaves its
parts importable, one by one, by whoever needs them.
"""

from __future__ import annotations

import importlib.util
import sys
import types

CLIENT = "lance_namespace_urllib3_client"


def lean() -> None:
    """Call before `import lancedb`; does nothing where the client is absent or has been imported already."""
    spec = None if CLIENT in sys.modules else importlib.util.find_spec(CLIENT)
    if spec is None or spec.submodule_search_locations is None:
        return
    package = types.ModuleType(CLIENT)
    package.__spec__ = spec
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[CLIENT] = package


lean()
