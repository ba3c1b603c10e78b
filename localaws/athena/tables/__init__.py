"""From a Glue table to something that DuckDB reads: partitions, S3 objects, a local cache, and the formats."""
