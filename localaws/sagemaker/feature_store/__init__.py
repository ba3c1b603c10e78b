"""Feature Store: the online store in SQLite, the offline store as Parquet in S3 with its Glue table."""
