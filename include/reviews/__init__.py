"""The raw reviews: where they come from, how they get into S3, and the crawler of the table that is made of them."""
