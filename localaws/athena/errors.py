"""How a query fails: the name, the place and the words that Athena puts into StateChangeReason."""

from __future__ import annotations

USER = 2
SYSTEM = 1

#: Athena's ErrorType by the engine's error name; what is not listed is 1000, a user error of no special kind.
ERROR_TYPES = {
    "DIVISION_BY_ZERO": 1001,
    "TYPE_MISMATCH": 1002,
    "SYNTAX_ERROR": 1006,
    "COLUMN_NOT_FOUND": 1006,
    "CATALOG_NOT_FOUND": 1006,
    "INVALID_CAST_ARGUMENT": 1100,
    "INVALID_PARAMETER_USAGE": 1100,
    "NUMERIC_VALUE_OUT_OF_RANGE": 1100,
    "INVALID_FUNCTION_ARGUMENT": 1106,
    "TABLE_ALREADY_EXISTS": 1110,
    "NOT_SUPPORTED": 1200,
    "TABLE_NOT_FOUND": 1301,
    "SCHEMA_NOT_FOUND": 1301,
    "FUNCTION_NOT_FOUND": 1303,
}


class QueryError(Exception):
    """
    A query that fails; its text is StateChangeReason.

    :param name: the engine's error name, such as ``TABLE_NOT_FOUND``; ``None`` for Hive DDL, whose text stands alone.
    :param position: line and column, both counted from 1, where the engine names a place.
    """

    def __init__(
        self,
        name: str | None,
        message: str,
        position: tuple[int, int] | None = None,
        *,
        category: int = USER,
        error_type: int | None = None,
        retryable: bool = False,
    ) -> None:
        place = f"line {position[0]}:{position[1]}: " if position else ""
        self.reason = f"{name}: {place}{message}" if name else f"{place}{message}"
        super().__init__(self.reason)
        self.name = name
        self.category = category
        self.error_type = error_type if error_type is not None else ERROR_TYPES.get(name or "", 1000)
        self.retryable = retryable


class HiveError(QueryError):
    """A failed DDL statement: Athena's Hive side has its own words."""

    def __init__(self, message: str, *, error_type: int = 1006, category: int = USER) -> None:
        super().__init__(None, f"FAILED: {message}", category=category, error_type=error_type)


class MalformedQuery(Exception):
    """A query that cannot be parsed: StartQueryExecution itself refuses it."""

    def __init__(self, message: str, position: tuple[int, int] | None = None) -> None:
        super().__init__(f"line {position[0]}:{position[1]}: {message}" if position else message)


class Cancelled(Exception):
    """StopQueryExecution asked for the end of this query, or (``reason``) its work group's limit did."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
