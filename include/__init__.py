"""What the DAGs ship to AWS, and their settings."""
