"""The gateway's door: HTTP in every dialect, as plain ASGI."""
