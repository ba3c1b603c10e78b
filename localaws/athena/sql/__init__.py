"""
Trino SQL to DuckDB SQL: parsed by sqlglot, named, typed and checked here as Trino does, written as DuckDB's SQL.

Importing the package registers what compiles each kind of node.
"""

from localaws.athena.sql import calls, expressions, operators, selects, special_calls, subqueries

__all__ = ["calls", "expressions", "operators", "selects", "special_calls", "subqueries"]
