"""SageMaker endpoints: the operators that make or update one, delete it, and ask it."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.naming import RunKey, endpoint_config_name, is_endpoint_config_name, tags
from amazon_ml.operators.base import SageMakerOperator, is_true
from amazon_ml.waiting import transient

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

JSON_LINES, CSV = "application/jsonlines", "text/csv"
#: with these an endpoint serves nothing, and can only be deleted.
_DEAD = {"Failed", "OutOfService"}
#: with these it serves, and takes an update.
_READY = {"InService", "UpdateRollbackFailed"}


class EndpointOperator(SageMakerOperator):
    """
    Make an endpoint serve a model: create it, update it, or find that it already does.

    The configuration's name is derived from the run and from its variants. So a retry or a clear of this task finds its
    configuration in service and does nothing, and another model makes an update, during which the endpoint keeps
    answering with the old one. An endpoint whose creation failed is deleted and made anew by the next try.

    Returns ``{"name", "arn", "status", "config", "variants"}``, each variant ``{"name", "model", "instance_type",
    "instances", "weight"}``.

    :param endpoint_name: the endpoint. Templated.
    :param model_name: the model. Templated.
    :param instance_type: of its instances. Templated.
    :param instance_count: how many. Templated.
    :param ttl: tag ``ttl``, in seconds after the last change: what costs money by the hour says when it may go.
    :raises JobFailed: creation failed, or the update was rolled back; with AWS's reason, its last log lines in the
        task's log.

    .. seealso:: CreateEndpoint and UpdateEndpoint in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "endpoint_name",
        "model_name",
        "instance_type",
        "instance_count",
    )

    def __init__(
        self,
        *,
        endpoint_name: str,
        model_name: str | XComArg,
        instance_type: str,
        instance_count: int | str = 1,
        ttl: timedelta = timedelta(days=1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.model_name = model_name
        self.instance_type = instance_type
        self.instance_count = instance_count
        self.ttl = ttl

    def execute(self, context: Context) -> Any:
        """Make the configuration, then bring the endpoint to it."""
        from amazon_ml.hooks.sagemaker import AlreadyExists

        config = self._config_name(context)
        request = {"EndpointConfigName": config, "ProductionVariants": self._variants(), "Tags": self._tags(context)}
        try:
            self.hook.create("EndpointConfig", request)
            self.log.info("Made endpoint configuration %s", config)
        except AlreadyExists:
            self.log.info("Endpoint configuration %s is there already", config)
        return self._converge(context, acted=False)

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None, *, acted: bool = True) -> Any:
        """The endpoint has settled: see whether on our configuration."""
        self.check_event(event, "Endpoint")
        return self._converge(context, acted=acted)

    def _converge(self, context: Context, *, acted: bool) -> Any:
        """
        One step towards an endpoint in service with our configuration.

        :param acted: this try has already created or updated it, and what is there now is the outcome.
        """
        self.note_console("Endpoint", self.endpoint_name)
        config = self._config_name(context)
        description = self.hook.describe("Endpoint", self.endpoint_name)
        status = description["EndpointStatus"] if description else None
        if description and status == "InService" and description["EndpointConfigName"] == config:
            self.log.info("Endpoint %s is in service with %s", self.endpoint_name, config)
            arn = description["EndpointArn"]
            models = [f"{arn.rpartition(':')[0]}:model/{variant['ModelName']}" for variant in self._variants()]
            self.note_data(models, [arn])
            return self._summary(description)
        if status in _DEAD | _READY | {None}:
            if acted:
                self._fail(description, config)
            acted = self._act(context, status, config)
        self.check_alive()
        waiter = "endpoint_settled" if acted or status != "Deleting" else "endpoint_deleted"
        if status in _DEAD:
            waiter = "endpoint_deleted"
        return self.wait(context, waiter=waiter, name=self.endpoint_name, then="execute_complete", acted=acted)

    def _act(self, context: Context, status: str | None, config: str) -> bool:
        """Create, update, or delete a dead one; True where the outcome will be this try's."""
        from amazon_ml.hooks.sagemaker import AlreadyExists

        names = {"EndpointName": self.endpoint_name, "EndpointConfigName": config}
        if status in _DEAD:
            self.log.info("Endpoint %s is %s: deleting it to make it anew", self.endpoint_name, status)
            self.hook.delete("Endpoint", self.endpoint_name)
            return False
        if status in _READY:
            self.log.info("Updating endpoint %s to %s", self.endpoint_name, config)
            arn = self.hook.call("update_endpoint", **names)["EndpointArn"]
            self.hook.call("add_tags", ResourceArn=arn, Tags=self._tags(context))
            return True
        try:
            self.hook.create("Endpoint", {**names, "Tags": self._tags(context)})
            self.log.info("Creating endpoint %s with %s", self.endpoint_name, config)
        except AlreadyExists:
            self.log.info("Endpoint %s was made by another process in the meantime", self.endpoint_name)
            return False
        return True

    def _fail(self, description: Mapping[str, Any] | None, config: str) -> None:
        if description is None:
            raise JobFailed(f"Endpoint {self.endpoint_name} was deleted while this task waited for it")
        status, reason = description["EndpointStatus"], description.get("FailureReason", "AWS gives no reason")
        tail = self.hook.log_tail(f"/aws/sagemaker/Endpoints/{self.endpoint_name}", "")
        self.log.error("Last lines of endpoint %s:\n%s", self.endpoint_name, "\n".join(tail))
        if status in _READY:
            serving = description["EndpointConfigName"]
            raise JobFailed(
                f"Endpoint {self.endpoint_name} did not take {config} and is {status} with {serving}: {reason}"
            )
        raise JobFailed(f"Endpoint {self.endpoint_name} is {status}: {reason}")

    def _variants(self) -> list[dict[str, Any]]:
        return [
            {
                "VariantName": "AllTraffic",
                "ModelName": str(self.model_name),
                "InstanceType": self.instance_type,
                "InitialInstanceCount": int(self.instance_count),
                "InitialVariantWeight": 1.0,
            }
        ]

    def _config_name(self, context: Context) -> str:
        return endpoint_config_name(self.endpoint_name, RunKey.of(context), self._variants())

    def _tags(self, context: Context) -> list[dict[str, str]]:
        return tags(RunKey.of(context), {"ttl": str(int(self.ttl.total_seconds()))}, self.tags)

    def _summary(self, description: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "name": description["EndpointName"],
            "arn": description["EndpointArn"],
            "status": description["EndpointStatus"],
            "config": description["EndpointConfigName"],
            "variants": [
                {
                    "name": variant["VariantName"],
                    "model": variant["ModelName"],
                    "instance_type": variant["InstanceType"],
                    "instances": variant["InitialInstanceCount"],
                    "weight": variant["InitialVariantWeight"],
                }
                for variant in self._variants()
            ],
        }


class DeleteEndpointOperator(SageMakerOperator):
    """
    Delete an endpoint, the configurations that :class:`EndpointOperator` made for it, and the models in these.

    What is already gone is passed over, so a second run, or one after a crash half-way, ends the same. Models go before
    their configuration, which is where their names are.

    Returns ``{"endpoint", "deleted": {"endpoint": bool, "configs": [names], "models": [names]}}``.

    :param endpoint_name: the endpoint. Templated.
    :param keep: leave everything as it is, and end the task as skipped: for a teardown that a DAG param switches off.
        Templated.
    """

    template_fields: Sequence[str] = (*SageMakerOperator.template_fields, "endpoint_name", "keep")

    def __init__(self, *, endpoint_name: str, keep: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.endpoint_name = endpoint_name
        self.keep = keep

    def execute(self, context: Context) -> Any:
        """Delete the endpoint and wait until it is gone, then the rest."""
        if is_true(self.keep):
            raise AirflowSkipException(f"endpoint {self.endpoint_name} is kept, and costs money by the hour")
        self.note_console("Endpoint", self.endpoint_name)
        description = self.hook.describe("Endpoint", self.endpoint_name)
        if description is None:
            self.log.info("There is no endpoint %s", self.endpoint_name)
            return self._delete_rest(None, existed=False)
        if description["EndpointStatus"] in {"Creating", "Updating", "SystemUpdating", "RollingBack"}:
            self.log.info(
                "Endpoint %s is %s: AWS deletes it after that", self.endpoint_name, description["EndpointStatus"]
            )
            return self.wait(context, waiter="endpoint_settled", name=self.endpoint_name, then="execute_again")
        if description["EndpointStatus"] != "Deleting":
            self.hook.delete("Endpoint", self.endpoint_name)
        config = description["EndpointConfigName"]
        return self.wait(
            context, waiter="endpoint_deleted", name=self.endpoint_name, then="execute_complete", config=config
        )

    def execute_again(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """The change that was under way has ended."""
        self.check_event(event, "Endpoint")
        return self.execute(context)

    def execute_complete(
        self, context: Context, event: Mapping[str, str] | None = None, *, config: str | None = None
    ) -> Any:
        """The endpoint is gone."""
        if self.check_event(event, "Endpoint")["outcome"] != "success":
            raise JobFailed(
                f"Endpoint {self.endpoint_name} could not be deleted and is {event['status'] if event else ''}"
            )
        return self._delete_rest(config, existed=True)

    def _delete_rest(self, config: str | None, *, existed: bool) -> dict[str, Any]:
        configs: list[str] = []
        models: list[str] = []
        for name in sorted({*self._made_configs(), *([config] if config else [])}):
            description = self.hook.describe("EndpointConfig", name)
            if description is None:
                continue
            variants = [*description["ProductionVariants"], *description.get("ShadowProductionVariants", [])]
            models.extend(
                variant["ModelName"]
                for variant in variants
                if "ModelName" in variant and self.hook.delete("Model", variant["ModelName"])
            )
            if self.hook.delete("EndpointConfig", name):
                configs.append(name)
        self.log.info("Deleted configurations %s and models %s", configs, models)
        return {
            "endpoint": self.endpoint_name,
            "deleted": {"endpoint": existed, "configs": configs, "models": models},
        }

    def _made_configs(self) -> Iterator[str]:
        # The name of a configuration begins with its endpoint's, cut at the length that leaves room for the hash.
        for page in self.hook.pages("list_endpoint_configs", NameContains=self.endpoint_name[:40]):
            for found in page["EndpointConfigs"]:
                if is_endpoint_config_name(found["EndpointConfigName"], self.endpoint_name):
                    yield found["EndpointConfigName"]


class InvokeEndpointOperator(SageMakerOperator):
    """
    Ask an endpoint, in JSON Lines or CSV: a few records, to see that it answers sensibly.

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

        runtime = self.hook.of("sagemaker-runtime")
        pause = 1.0
        while True:
            self.check_alive()
            try:
                answer = runtime.call(
                    "invoke_endpoint",
                    EndpointName=self.endpoint_name,
                    Body=body,
                    ContentType=self.content_type,
                    Accept=self.content_type,
                )
                content: bytes = answer["Body"].read()
                return content
            except RequestRefused as error:
                cause: Any = error.__cause__
                if getattr(cause, "response", {}).get("Error", {}).get("Code") != "ModelError":
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
