"""What StartQueryExecution finds out before it queues a query."""

from __future__ import annotations

from localaws.athena.ddl import nodes
from localaws.athena.ddl.parser import parse
from localaws.athena.errors import MalformedQuery
from localaws.athena.execute import refuse_at_start
from localaws.athena.paging import invalid


def check(sql: str) -> nodes.Statement:
    """
    Parse the statement in ``sql`` and refuse what AWS refuses before it queues a query.

    :raises InvalidRequestException: MALFORMED_QUERY, it cannot be parsed; or the statement is refused.
    """
    try:
        statement = parse(sql)
    except MalformedQuery as error:
        raise invalid(str(error), "MALFORMED_QUERY") from error
    reason = refuse_at_start(statement)
    if reason is not None:
        raise invalid(reason)
    return statement
