"""What `make` runs beside the stack; each of them needs the standard library only."""
