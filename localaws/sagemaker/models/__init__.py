"""Models: containers and their artifacts."""
