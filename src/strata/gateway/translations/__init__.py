"""Between chat and the vendors' own dialects: what each is asked, and what it answers."""
