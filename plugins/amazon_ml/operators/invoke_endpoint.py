"""SageMaker endpoints: the operator that asks one."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.base import error_code
from amazon_ml.hooks.runtime import RuntimeHook
from amazon_ml.operators.base import SageMakerOperator
from amazon_ml.waiting import transient

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

JSON_LINES, CSV = "application/jsonlines", "text/csv"


class InvokeEndpointOperator(SageMakerOperator):
    """
    Send a few records to an endpoint, in JSON Lines or CSV, and return its predictions.

    Returns ``{"endpoint", "predictions"}``, a document a record: what the endpoint answered, and under ``features`` the
    text that was sent.

    :param endpoint_name: the endpoint. Templated.
    :param records: in JSON Lines text, sent as ``{"features": [text]}``, or documents, sent as they are; in CSV text,
        sent as a row of one quoted field, or the fields of a row. Templated.
    :param content_type: ``application/jsonlines`` or ``text/csv``, of request and answer.
    :param columns: of the answer in CSV, in their order.
    :param batch_size: records a request.
    :param timeout: from the start of the try until all is answered, throttling and a model that still loads included.
    :raises JobFailed: the model failed on the request, or answered another number of lines, or of columns.

    .. seealso:: InvokeEndpoint in the SageMaker Runtime API reference.
    """

    template_fields: Sequence[str] = (*SageMakerOperator.template_fields, "endpoint_name", "records")
    template_fields_renderers = {"records": "json", "tags": "json"}

    def __init__(
        self,
        *,
        endpoint_name: str,
        records: Sequence[str | Mapping[str, Any] | Sequence[Any]] | XComArg,
        content_type: str = JSON_LINES,
        columns: Sequence[str] = (),
        batch_size: int = 32,
        timeout: timedelta = timedelta(minutes=10),
        **kwargs: Any,
    ) -> None:
        super().__init__(timeout=timeout, **kwargs)
        if (content_type == CSV) != bool(columns) or content_type not in {JSON_LINES, CSV}:
            raise ValueError(f"content_type is {JSON_LINES}, or {CSV} with the columns of the answer: {content_type}")
        self.endpoint_name = endpoint_name
        self.records = records
        self.content_type = content_type
        self.columns = tuple(columns)
        self.batch_size = batch_size

    def execute(self, context: Context) -> dict[str, Any]:
        """Send the records, batch by batch."""
        self.note_console("Endpoint", self.endpoint_name)
        records: list[Any] = list(self.records)  # type: ignore[arg-type]  # rendered: an XComArg no longer
        predictions: list[Any] = []
        for start in range(0, len(records), self.batch_size):
            predictions.extend(self._ask(records[start : start + self.batch_size], self.deadline(context)))
        for record, prediction in zip(records, predictions, strict=True):
            self.log.info("%s -> %s", record, prediction)
        endpoint = self.hook.describe("Endpoint", self.endpoint_name)
        self.note_data([endpoint["EndpointArn"]] if endpoint else [], [])
        return {"endpoint": self.endpoint_name, "predictions": list(map(_with_text, records, predictions))}

    def _ask(self, records: Sequence[Any], deadline: float) -> list[Any]:
        text = _as_csv(records) if self.content_type == CSV else _as_json_lines(records)
        body = self._invoke(text.encode(), deadline)
        try:
            answers = self._read(body.decode())
        except ValueError as error:
            form = f"CSV with the columns {', '.join(self.columns)}" if self.columns else "JSON Lines"
            raise JobFailed(f"Endpoint {self.endpoint_name} did not answer in {form}: {body[:200]!r}") from error
        if len(answers) != len(records):
            raise JobFailed(f"Endpoint {self.endpoint_name} answered {len(answers)} lines to {len(records)} records")
        return answers

    def _read(self, text: str) -> list[Any]:
        if self.content_type == CSV:
            return [dict(zip(self.columns, row, strict=True)) for row in csv.reader(io.StringIO(text)) if row]
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def _invoke(self, body: bytes, deadline: float) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        runtime = self.hook.sibling(RuntimeHook)
        pause = 1.0
        while True:
            self.check_alive()
            try:
                return runtime.invoke_endpoint(self.endpoint_name, body, self.content_type)
            except RequestRefused as error:
                cause: Any = error.__cause__
                if error_code(cause) != "ModelError":
                    raise
                raise JobFailed(f"Endpoint {self.endpoint_name}: {_model_error(cause.response)}") from error
            except (BotoCoreError, ClientError) as error:
                if not transient(error) or time.time() + pause > deadline:
                    raise
                self.log.info("Endpoint %s: asking again in %.0f s (%s)", self.endpoint_name, pause, error)
            self._pause(pause)
            pause = min(pause * 2, 30.0)


def _as_json_lines(records: Sequence[Any]) -> str:
    lines = [json.dumps({"features": [record]} if isinstance(record, str) else record) for record in records]
    return "\n".join(lines)


def _as_csv(records: Sequence[Any]) -> str:
    text = io.StringIO()
    rows = ([record] if isinstance(record, str) else record for record in records)
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _with_text(record: Any, prediction: Any) -> Any:
    return (
        {"features": record, **prediction} if isinstance(record, str) and isinstance(prediction, dict) else prediction
    )


def _model_error(response: Mapping[str, Any]) -> str:
    said = response.get("OriginalMessage") or response["Error"].get("Message", "")
    log = response.get("LogStreamArn")
    return f"the model failed with {response.get('OriginalStatusCode', 'an error')}: {said}" + (
        f" (log: {log})" if log else ""
    )
