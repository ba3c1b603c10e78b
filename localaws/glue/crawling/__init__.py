"""
What a Glue crawler does: list objects, recognise their format, infer a schema, group folders into tables, write the
catalog. The operations are in the *_api modules of localaws/glue.

As Glue does it: CSV (delimiters ``, | \\t ;`` and Ctrl-A, quotes, header by type or by classifier, names ``col0``...
where all are strings), JSON (lines, arrays, JsonPath), Parquet; gzip; types; key=value and plain partition folders;
one table or many; exclusions, SampleSize, CombineCompatibleSchemas, TableLevelConfiguration; UpdateBehavior,
DeleteBehavior, MergeNewColumns, InheritFromTable; schedules; logs in ``/aws-glue/crawlers``.

AWS does not publish everything. Ours are: the measure of similarity (see grouping.py); that objects and folders named
``_...`` or ``....`` are left out, as Athena reads them; that a partition key called like a column becomes
``partition_N``; that a missing database fails the crawl; that a crawl which the server's end interrupts is run again.

Refused by name: targets other than S3; Grok and XML classifiers and CustomDatatypes; RecrawlPolicy other than
CRAWL_EVERYTHING; partition indexes; lineage, Lake Formation, security configurations, connections and event queues;
``L``, ``W`` and ``#`` in cron. Avro, ORC, XML, Ion, logs, and zip, bzip2, lz4, zstd are classified UNKNOWN.
"""
