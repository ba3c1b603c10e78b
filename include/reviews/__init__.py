"""The raw reviews: where they come from, how they get into S3, and what is checked when they are read."""
