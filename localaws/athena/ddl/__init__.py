"""Statements that are no query: Hive's DDL, SHOW and DESCRIBE, and the heads of CTAS, INSERT, UNLOAD and views."""
