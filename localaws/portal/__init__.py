"""Pages for people: the worker portal and the console."""
