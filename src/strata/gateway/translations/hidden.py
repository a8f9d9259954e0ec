"""How many tokens a vendor may add to a prompt on its own: they are charged like the others, and stand in no request.

Anthropic puts a text of its own in front of tools and schemas (some hundred tokens; more before a tool of its own kind),
and what its servers search, read or run is prompt as well. The bounds are well above every recorded exchange with it.
"""

from __future__ import annotations

from strata.types import Json

TOOLS = 1024
SCHEMA = 1024
TYPED = 4096
CONTEXT = 200_000
"""Where the settings say no size of the context: Anthropic's usual one."""

SERVED = ("web_search", "web_fetch", "code_execution", "advisor", "mcp", "tool_search")
"""Tools that the vendor runs itself, as their types begin."""


def hidden(body: Json, context: int = 0) -> int:
    """An upper bound, but for a tool that the vendor runs more than once: then the size of the context."""
    given = body.get("tools")
    tools = [tool for tool in given if isinstance(tool, dict)] if isinstance(given, list) else []
    if body.get("mcp_servers") or any(map(_served, tools)):
        return context or CONTEXT
    typed = sum("function" not in tool and "input_schema" not in tool for tool in tools)
    schema = SCHEMA if body.get("response_format") or body.get("output_config") else 0
    return (TOOLS if tools else 0) + TYPED * typed + schema


def _served(tool: Json) -> bool:
    return "systemTool" in tool or str(tool.get("type") or "").startswith(SERVED)
