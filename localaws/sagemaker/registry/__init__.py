"""The model registry: package groups and versions."""
