"""The HTTP front: what reaches a service is well-formed HTTP, and signed, its body too."""
