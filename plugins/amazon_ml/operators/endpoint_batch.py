"""SageMaker endpoints: the operator that sends many requests at once and keeps the answers."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

from amazon_ml.exceptions import DeadlineExceeded, RequestRefused
from amazon_ml.hooks.base import error_code, is_passing
from amazon_ml.hooks.runtime import RuntimeHook
from amazon_ml.invocations import OK, Parts, Records, Tally, opened
from amazon_ml.naming import client_token
from amazon_ml.operators.base import SageMakerOperator
from amazon_ml.parallel import mapped
from amazon_ml.waiting import transient

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

JSON_LINES = "application/jsonlines"
#: each request goes to every variant in turn.
EACH = "each"
#: answers a part at most, and seconds until it is written: what a try that ends without a word loses.
PART, _PART_SECONDS = 1000, 30.0
#: requests a client that are handed out before the first of them is answered.
_AHEAD = 16
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 8.0
#: how long a client that keeps to the rate does not notice a kill.
_SLICE = 0.5
#: what says no more than that this one request failed.
_OF_THE_MODEL = "ModelError"

Asked = tuple[dict[str, Any], str | None]


class InvokeEndpointBatchOperator(SageMakerOperator):
    """
    Send records to an endpoint, several at a time, and write what it answered.

    Records are JSON lines ``{"id", "body"}``; a body that is no text is sent as JSON. Answers are JSON lines ``{"id",
    "variant", "latency_ms", "status", "answer"}`` in ``<output>part-000000.jsonl``, ..., in the records' order. A
    request on which the model failed, or that was throttled in all attempts, has its HTTP status, and the message as
    answer. What AWS refuses, such as a variant that is not there, fails the task at once.

    A try that follows a killed one continues after the last part, if records, endpoint configuration and weights are
    still the same. After a whole measurement another try takes a new one.

    Returns ``{"endpoint", "requests", "errors", "variants": {name: requests}, "resumed", "seconds", "output"}``:
    ``resumed`` are the requests that an earlier try had sent, ``seconds`` is the time of this one.

    :param endpoint_name: the endpoint. Templated.
    :param records: S3 URI of the file, or a list. Templated.
    :param output: S3 prefix of the answers. Templated.
    :param target_variant: the variant to ask; "each" for all of them, one after the other; None or "" for the one that
        the endpoint draws. Templated.
    :param weights: variant -> weight by which the endpoint must draw, or nothing is sent; None for any.
    :param clients: requests at a time.
    :param rate: requests a second at most; None for as many as the clients can. Templated.
    :param attempts: of a request that was throttled or found no server.
    :param content_type: of request and answer, which is text.
    :raises RequestRefused: there is no such endpoint or variant, or AWS takes a request not at all.
    :raises ValueError: there is no record, or one without id and body; or the endpoint has other ``weights``.
    :raises DeadlineExceeded: not all was answered in time; the next try continues.

    .. seealso:: InvokeEndpoint in the SageMaker Runtime API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "endpoint_name",
        "records",
        "output_uri",
        "target_variant",
        "rate",
    )

    def __init__(
        self,
        *,
        endpoint_name: str,
        records: str | Sequence[Mapping[str, Any]] | XComArg,
        output: str,
        target_variant: str | None = None,
        weights: Mapping[str, float] | None = None,
        clients: int = 8,
        rate: float | str | None = None,
        attempts: int = 5,
        content_type: str = JSON_LINES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.records = records
        self.output_uri = output
        self.target_variant = target_variant
        self.weights = dict(weights or {})
        self.clients = clients
        self.rate = rate
        self.attempts = attempts
        self.content_type = content_type

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the records, and write the answers part by part."""
        self.note_console("Endpoint", self.endpoint_name)
        description = self.hook.require("Endpoint", self.endpoint_name)
        targets = self._targets(description)
        if not targets:
            raise RequestRefused(
                f"Endpoint {self.endpoint_name} is {description['EndpointStatus']}: it has no variants"
            )
        self._check_weights(description)
        s3, began = self.hook.s3, time.monotonic()
        with opened(self.records, s3) as records:
            requests = records.count * len(targets)
            if not requests:
                raise ValueError(f"There are no records in {self.records}")
            parts = Parts(s3, self.output_uri, self._fingerprint(description, records, targets))
            done, tally = parts.resume(requests)
            resumed = tally.requests
            if resumed:
                self.log.info("%d of %d requests were answered in an earlier try", resumed, requests)
            asked = ((record, target) for record in records for target in targets)
            answers = self._send(itertools.islice(asked, resumed, None), self.deadline(context))
            self._write(parts, done, tally, answers, requests)
        self.note_data(
            [*([self.records] if isinstance(self.records, str) else []), description["EndpointArn"]], [self.output_uri]
        )
        found = {
            "endpoint": self.endpoint_name,
            "requests": tally.requests,
            "errors": tally.errors,
            "variants": dict(tally.variants),
            "resumed": resumed,
            "seconds": round(time.monotonic() - began, 1),
            "output": self.output_uri,
        }
        self.log.info("%s", found)
        return found

    def _write(self, parts: Parts, number: int, tally: Tally, answers: Iterator[dict[str, Any]], requests: int) -> None:
        numbers, part, began = itertools.count(number), list[dict[str, Any]](), time.monotonic()
        try:
            for answer in answers:
                part.append(answer)
                if len(part) >= PART or time.monotonic() - began > _PART_SECONDS:
                    tally.merge(parts.put(next(numbers), part))
                    part, began = [], time.monotonic()
                    self.log.info("%d of %d requests are answered", tally.requests, requests)
        finally:
            # Also where the task is killed, or its time is over: the next try continues from here.
            if part:
                tally.merge(parts.put(next(numbers), part))

    def _fingerprint(self, description: Mapping[str, Any], records: Records, targets: Sequence[str | None]) -> str:
        """Digest what two tries must have in common for their answers to make one measurement."""
        weights = {each["VariantName"]: each["CurrentWeight"] for each in description.get("ProductionVariants", [])}
        served = [str(description["CreationTime"]), description["EndpointConfigName"], weights]
        return client_token([records.digest, targets, self.content_type, served])

    def _check_weights(self, description: Mapping[str, Any]) -> None:
        found = {each["VariantName"]: each["CurrentWeight"] for each in description.get("ProductionVariants", [])}
        names = found.keys() | self.weights.keys()
        wanted, actual = _shares(self.weights, names), _shares(found, names)
        if self.weights and any(not math.isclose(wanted[name], actual[name], abs_tol=1e-6) for name in names):
            raise ValueError(
                f"Endpoint {self.endpoint_name} draws by the weights {found}, and not by {self.weights}: set them first"
            )

    def _targets(self, description: Mapping[str, Any]) -> list[str | None]:
        if self.target_variant == EACH:
            return [variant["VariantName"] for variant in description.get("ProductionVariants", [])]
        # A template without a value renders as empty text, or as "None".
        return [None if self.target_variant in {None, "", "None"} else self.target_variant]

    def _send(self, asked: Iterator[Asked], deadline: float) -> Iterator[dict[str, Any]]:
        """Yield the answers in order. Stops early where the task was killed, or its time is over."""
        pace = _Pace(float(self.rate) if self.rate not in {None, "", "None"} else None, self.check_alive)
        config = {**(self.botocore_config or {}), "max_pool_connections": self.clients}
        runtime = RuntimeHook(**{**self._hook_parameters, "config": config}, attempts=1).conn

        def send(one: Asked) -> dict[str, Any]:
            pace.wait()
            self.check_alive()
            if time.time() > deadline:
                raise DeadlineExceeded(
                    f"Endpoint {self.endpoint_name} had not answered all requests when the task's time was over "
                    f"({self.timeout} from the start of this try): the next try continues"
                )
            return self._ask(runtime, *one)

        yield from mapped(send, asked, self.clients, ahead=_AHEAD)

    def _ask(self, runtime: Any, record: Mapping[str, Any], target: str | None) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        body = record["body"] if isinstance(record["body"], str) else json.dumps(record["body"])
        request = {"EndpointName": self.endpoint_name, "Body": body.encode(), "ContentType": self.content_type}
        request |= {"Accept": self.content_type, **({"TargetVariant": target} if target else {})}

        def ask() -> tuple[dict[str, Any], bool]:
            """Ask once; the answer, and whether asking again may help."""
            began = time.perf_counter()
            try:
                found = runtime.invoke_endpoint(**request)
                answer = found["Body"].read().decode()
            except (BotoCoreError, ClientError) as error:
                took = (time.perf_counter() - began) * 1000
                self._check_refusal(error, record)
                return _answer(record, target, took, _status(error), str(error)), transient(error)
            took = (time.perf_counter() - began) * 1000
            return _answer(record, found.get("InvokedProductionVariant", target), took, OK, answer), False

        again = Retrying(
            retry=retry_if_result(lambda seen: seen[1]),
            stop=stop_after_attempt(self.attempts),
            wait=wait_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            sleep=self._pause_unless_killed,
            # Of the last attempt the failure is the answer.
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        answer, _ = again(ask)
        return answer

    def _pause_unless_killed(self, seconds: float) -> None:
        self._pause(seconds)
        self.check_alive()

    def _check_refusal(self, error: Exception, record: Mapping[str, Any]) -> None:
        """
        Raise where no other request would fare better, as when the variant is not there.

        :raises RequestRefused: AWS says so, or botocore.
        """
        if error_code(error) == _OF_THE_MODEL or transient(error):
            return
        if is_passing(error):
            raise error
        raise RequestRefused(f"invoke_endpoint({self.endpoint_name}), record {record['id']}: {error}") from error


class _Pace:
    """
    Lets through as many a second, whoever asks.

    :param check: called while one waits: raises where it is to wait no longer.
    """

    def __init__(self, rate: float | None, check: Callable[[], None]) -> None:
        self.step = 1 / rate if rate else 0.0
        self.next = time.monotonic()
        self.lock = threading.Lock()
        self.check = check

    def wait(self) -> None:
        if not self.step:
            return
        with self.lock:
            turn = max(self.next, time.monotonic())
            self.next = turn + self.step
        left = turn - time.monotonic()
        while left > 0:
            self.check()
            time.sleep(min(left, _SLICE))
            left -= _SLICE


def _shares(weights: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """Return the part of the traffic that each of these has."""
    total = sum(weights.values()) or 1.0
    return {name: weights.get(name, 0.0) / total for name in names}


def _answer(record: Mapping[str, Any], variant: str | None, took: float, status: int, answer: str) -> dict[str, Any]:
    return {
        "id": record["id"],
        "variant": variant,
        "latency_ms": round(took, 3),
        "status": status,
        "answer": answer,
    }


def _status(error: Exception) -> int:
    """Return the container's own status where the model failed, else that of the answer; 0 without one."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    status = response.get("OriginalStatusCode") or response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status)
