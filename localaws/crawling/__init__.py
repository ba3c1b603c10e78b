"""
What a Glue crawler does: list objects, recognise their format, infer a schema, group folders into tables, write the
catalog. The operations stand in localaws/services/crawler.py, crawl.py, crawler_schedule.py and classifier.py.
"""
