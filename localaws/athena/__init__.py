"""
The Athena engine: Trino SQL and Hive DDL over Glue tables, done by DuckDB.

The way of a query: ``start`` parses it, ``lifecycle`` queues it and keeps its state, ``execute`` does the statement:
``queries`` (SELECT, EXPLAIN), ``write`` (CTAS, INSERT, UNLOAD) or ``ddl``. ``sql`` turns Trino's SQL into DuckDB's and
checks names and types as Trino does; ``tables`` finds the S3 objects of a table, keeps them in a cache and reads each
format as its SerDe does; ``engine`` is the DuckDB, which can reach nothing but those files; ``finish`` and ``results``
write what came out.

Not done, and refused by name: Iceberg, ORC, Avro and other SerDes than OpenCSV, LazySimple, JSON and Parquet; UPDATE,
DELETE and MERGE; INSERT into buckets; federated catalogs; managed and encrypted results; work groups of other engines.
Approximate aggregates are exact. Buckets that another hash than Hive's first made are read whole. EXPLAIN shows
DuckDB's plan. A function that is not in ``sql/functions_*`` is not registered.
"""
