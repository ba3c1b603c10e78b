"""
The Athena engine: Trino SQL and Hive DDL over Glue tables, done by DuckDB.

The way of a query: ``lifecycle`` queues it and keeps its state; ``statements`` says what kind it is; ``ddl`` or
``sql`` does it; ``tables`` finds and reads the S3 objects; ``results`` writes what came out.
"""
