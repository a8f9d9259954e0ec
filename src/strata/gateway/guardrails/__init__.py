"""One file for each guardrail; each offers `make(options) -> Guardrail`."""
