"""Many human loops of one task: what is asked, which loops are whose, and how a wait for all of them goes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from amazon_ml.hooks.s3 import split
from amazon_ml.naming import loop_name
from amazon_ml.waiting import Watch, rules

if TYPE_CHECKING:
    from amazon_ml.hooks.s3 import ObjectsHook

WAITER = "human_loop_ended"
#: the service of the loops; what they are made of is SageMaker's.
SERVICE = "sagemaker-a2i-runtime"
#: characters of an input, AWS's limit.
MAX_INPUT = 3_145_728
#: by how much AWS's clock may be behind ours.
_SKEW = timedelta(minutes=5)


class ItemCheck:
    """Check items one by one, as lines of JSON; remembers their ids, which no two may share."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}

    def __call__(self, line: bytes, where: str) -> None:
        """
        Check one item.

        :raises ValueError: the line is not an item; the message says why.
        """
        try:
            item = json.loads(line)
        except ValueError as error:
            # No JSONDecodeError, after which a task is tried again.
            raise ValueError(f"{where} is not JSON: {error}") from None
        if not isinstance(item, dict) or not {"id", "input"} <= item.keys():
            raise ValueError(f"{where} is not an item with id and input")
        name = item["id"]
        if isinstance(name, bool) or not isinstance(name, (str, int)) or not str(name).strip():
            raise ValueError(f"{where}: the id {name!r} is neither text nor a whole number")
        before = self._lines.setdefault(str(name), where)
        if before != where:
            raise ValueError(f"{where}: the id {name!r} is that of {before} too, and an item has one loop")
        try:
            content = input_content(item)
        except ValueError as error:
            raise ValueError(f"{where}, item {name!r}: the input is not a JSON object: {error}") from None
        if len(content) > MAX_INPUT:
            raise ValueError(f"{where}, item {name!r}: the input has {len(content)} characters, at most {MAX_INPUT}")


def input_content(item: Mapping[str, Any]) -> str:
    """
    Return what A2I takes as an item's InputContent: a JSON object, as text.

    :raises ValueError: the input is not a JSON object.
    """
    given = item["input"]
    found = json.loads(given) if isinstance(given, str) else given
    if not isinstance(found, dict):
        raise ValueError(f"it is {type(found).__name__}")
    return given if isinstance(given, str) else json.dumps(given)


@dataclass(frozen=True)
class Loop:
    """
    The loop of an item.

    :param ours: this task instance has started it, or is about to.
    """

    id: str | int
    name: str
    ours: bool


def named(item: Mapping[str, Any], flow_definition_arn: str, batch: str) -> Loop:
    """Return the loop of an item, as one that is not ours."""
    return Loop(item["id"], loop_name(flow_definition_arn, str(item["id"]), batch), ours=False)


@dataclass(frozen=True)
class Manifest:
    """
    What a task instance knows of its loops, in S3: written before the first of them is started.

    The next try of a killed task reads it, and so does the trigger: the names of thousands of loops are nothing for
    Airflow's database.

    :param flow_definition_arn: of all of them.
    :param fingerprint: of the task instance; that of another is not taken for ours.
    :param began: seconds since the epoch: the start of the first try, from which the deadline counts.
    :param since: seconds since the epoch: no loop is older.
    """

    flow_definition_arn: str
    fingerprint: str
    began: float
    since: float
    loops: Sequence[Loop]

    @property
    def ours(self) -> set[str]:
        """The names of the loops that this task instance has started."""
        return {loop.name for loop in self.loops if loop.ours}

    def dump(self) -> bytes:
        """Return it as JSON lines: first what holds for all, then a loop each."""
        head = {key: value for key, value in vars(self).items() if key != "loops"}
        return "".join(json.dumps(each) + "\n" for each in (head, *map(asdict, self.loops))).encode()

    @classmethod
    def load(cls, content: bytes) -> Manifest:
        """
        Read what :meth:`dump` wrote.

        :raises ValueError: it is not that.
        """
        try:
            head, *lines = (json.loads(line) for line in content.splitlines() if line)
            return cls(**head, loops=[Loop(**line) for line in lines])
        except TypeError as error:
            raise ValueError(f"no manifest of human loops: {error}") from error

    def save(self, s3: ObjectsHook, uri: str) -> None:
        """Write it to S3."""
        s3.put_object(*split(uri), self.dump())


def load_manifest(s3: ObjectsHook, uri: str) -> Manifest | None:
    """
    Return the manifest at a place in S3; None where there is none.

    :raises ValueError: the object there is not a manifest.
    """
    content = s3.read(uri)
    return None if content is None else Manifest.load(content)


def oldest(descriptions: Iterable[Mapping[str, Any]], now: float) -> float:
    """Return since when loops are to be listed, in seconds since the epoch: no loop is older, by AWS's clock."""
    known: list[float] = [each["CreationTime"].timestamp() for each in descriptions]
    return min([*known, now]) - _SKEW.total_seconds()


def list_request(arn: str, since: float) -> dict[str, Any]:
    """Return what ListHumanLoops is asked for the loops of a flow definition since then, the oldest first."""
    after = datetime.fromtimestamp(since, UTC)
    return {"FlowDefinitionArn": arn, "CreationTimeAfter": after, "SortOrder": "Ascending"}


def has_ended(loop: Mapping[str, Any]) -> bool:
    """Return True if a loop, as List or Describe returns it, is in a final state."""
    return rules(WAITER).outcome(loop) is not None


@dataclass
class LoopsWatch(Watch):
    """
    The state of a wait for many loops, by the rules for one of them.

    AWS is asked for the flow definition's loops, a hundred at a time, and not for each loop. What has ended is not
    asked for again: each round lists what is as old as the oldest open loop, or younger.

    :param arn: the flow definition's.
    :param since: seconds since the epoch, no loop is older.
    :param open: names of the loops that may not have ended.
    """

    arn: str = ""
    since: float = 0.0
    open: set[str] = field(default_factory=set)
    total: int = 0
    _oldest: float | None = None

    @classmethod
    def of(cls, manifest: Manifest, uri: str, deadline: float, say: Callable[[str], object]) -> LoopsWatch:
        """Return the watch over all loops of a manifest."""
        watch = cls(rules(WAITER), uri, deadline, say, arn=manifest.flow_definition_arn, since=manifest.since)
        watch.open = {loop.name for loop in manifest.loops}
        watch.total = len(watch.open)
        watch._started = manifest.began
        return watch

    @property
    def request(self) -> dict[str, Any]:
        """What ListHumanLoops is to be asked in this round."""
        return list_request(self.arn, self.since)

    def page(self, answer: Mapping[str, Any]) -> None:
        """Take a page of the round."""
        for loop in answer["HumanLoopSummaries"]:
            if loop["HumanLoopName"] not in self.open:
                continue
            if has_ended(loop):
                self.open.discard(loop["HumanLoopName"])
            elif self._oldest is None:
                # In the order of creation.
                self._oldest = loop["CreationTime"].timestamp()

    def round(self) -> dict[str, str] | None:
        """Take the end of a round; the event when the wait is over."""
        self._unanswered = False
        self._status = f"{len(self.open)} of {self.total} open"
        self._say_once(self._status)
        if not self.open:
            return self._event("success")
        if self._oldest is not None:
            # A loop that is not listed yet was started lately.
            self.since = max(self.since, self._oldest - _SKEW.total_seconds())
        self._oldest = None
        return self.late()

    @property
    def _subject(self) -> str:
        return f"Human loops of {self.arn.rpartition('/')[2]}"
