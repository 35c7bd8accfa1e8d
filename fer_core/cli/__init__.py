"""Floor 5: what each command of `python -m fer_core` does; `cli` declares their options."""
