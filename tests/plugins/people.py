"""
The people of a work team, in a process of localaws' environment: ``python people.py <home> <url> <what> ...``.

``answer <flow> <user> <label> <count>``: take up to that many tasks and answer them; prints how many there were.
``hold <flow> <user>``: take a task and leave it open.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE.parent / "localaws")]

from human_kit import Person, context, label  # noqa: E402

from localaws.sagemaker.human_review import seats  # noqa: E402

home, url, what, flow, user, *more = sys.argv[1:]
ctx = context(Path(home), url)
described = ctx.client("sagemaker").describe_flow_definition(FlowDefinitionName=flow)
person = Person(user, (described["HumanLoopConfig"]["WorkteamArn"],))
if what == "hold":
    seats.take(ctx, person, flow)
else:
    answered = 0
    while answered < int(more[1]):
        try:
            task = seats.take(ctx, person, flow)
        except seats.NothingLeft:
            break
        seats.submit(ctx, person, task.seat_id, label(more[0]))
        answered += 1
    print(answered)
