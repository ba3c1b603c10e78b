"""SageMaker endpoints: the operators that make or update one, and delete it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from amazon_ml.exceptions import JobFailed, RequestRefused
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import EXPIRES, NEVER, RunKey, endpoint_config_name, is_endpoint_config_name
from amazon_ml.operators.base import SageMakerOperator, is_true, with_numbers
from amazon_ml.operators.invoke_endpoint import InvokeEndpointOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

__all__ = ["DeleteEndpointOperator", "EndpointOperator", "InvokeEndpointOperator"]

#: with these an endpoint serves nothing, and can only be deleted.
_DEAD = {"Failed", "OutOfService"}
#: with these it serves, and takes an update.
_READY = {"InService", "UpdateRollbackFailed"}
#: with these a change is under way.
CHANGING = {"Creating", "Updating", "SystemUpdating", "RollingBack"}


class EndpointOperator(SageMakerOperator):
    """
    Make an endpoint serve a model: create it, update it, or find that it already does.

    The configuration's name is derived from the run and from its variants. So a retry or a clear of this task finds its
    configuration in service and does nothing, and another model makes an update, during which the endpoint keeps
    answering with the old one. An endpoint whose creation failed is deleted and recreated by the next try. A deployment
    of this configuration that a killed try has left under way is waited for, and its roll-back fails the task.

    Returns ``{"name", "arn", "status", "config", "variants"}``, each variant ``{"name", "model", "instance_type",
    "instances", "weight"}``.

    :param endpoint_name: the endpoint. Templated.
    :param model_name: the model. Templated.
    :param instance_type: of its instances. Templated.
    :param instance_count: how many. Templated.
    :param variants: in place of these three, several behind the endpoint, each ``{"name", "model", "instance_type",
        "instances", "weight"}``. Templated.
    :param deployment: how an update moves the traffic, and when it is rolled back: a DeploymentConfig. Templated;
        numbers that are templates become numbers.
    :param data_capture: what of requests and answers is kept in S3: a DataCaptureConfig. Templated.
    :param retain_variant_properties: an update keeps instances, weights and data capture as they are, instead of what
        is given here. A list names what it does not keep: "DesiredInstanceCount", "DesiredWeight", "DataCaptureConfig".
    :param wait_for_completion: off, the task ends when the endpoint has begun to be created or updated, and its result
        has the endpoint's status and configuration as they are then. A change that is in the way is still waited for.
    :param ttl: tag ``expires-at``, counted from the last change: what costs money by the hour says when it may go.
        None: never. An endpoint that is to stay for ever stays so, and its owner's, when a task with a ``ttl`` updates
        it: it keeps the tags ``project``, ``dag``, ``run`` and ``expires-at``.
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
        "variants",
        "deployment",
        "data_capture",
    )
    template_fields_renderers = {"variants": "json", "deployment": "json", "data_capture": "json", "tags": "json"}

    def __init__(
        self,
        *,
        endpoint_name: str,
        model_name: str | XComArg = "",
        instance_type: str = "",
        instance_count: int | str = 1,
        variants: Sequence[Mapping[str, Any]] = (),
        deployment: Mapping[str, Any] | None = None,
        data_capture: Mapping[str, Any] | None = None,
        retain_variant_properties: bool | Sequence[str] = False,
        wait_for_completion: bool = True,
        ttl: timedelta | None = timedelta(days=1),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if bool(model_name) == bool(variants):
            raise ValueError("an endpoint serves a model_name, or variants, and not both")
        self.endpoint_name = endpoint_name
        self.model_name = model_name
        self.instance_type = instance_type
        self.instance_count = instance_count
        self.variants = [dict(variant) for variant in variants]
        self.deployment = dict(deployment or {})
        self.data_capture = dict(data_capture or {})
        self.retain_variant_properties = retain_variant_properties
        self.wait_for_completion = wait_for_completion
        self.ttl = ttl

    def lifetime(self) -> timedelta | None:
        """Return the time to live."""
        return self.ttl

    def execute(self, context: Context) -> Any:
        """Make the configuration, then bring the endpoint to it."""
        config = self._config_name(context)
        request: dict[str, Any] = {
            "EndpointConfigName": config,
            "ProductionVariants": self._variants(),
            "Tags": self.resource_tags(RunKey.of(context)),
        }
        if self.data_capture:
            request["DataCaptureConfig"] = self.data_capture
        try:
            self.hook.create("EndpointConfig", request)
            self.log.info("Made endpoint configuration %s", config)
        except AlreadyExists:
            self.log.info("Endpoint configuration %s is there already", config)
        return self._converge(context, acted=False)

    def execute_complete(self, context: Context, event: Mapping[str, str] | None = None, *, acted: bool = True) -> Any:
        """Continue once the endpoint has settled: see whether on our configuration."""
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
            acted = self._act(context, description, config)
        elif description and description.get("PendingDeploymentSummary", {}).get("EndpointConfigName") == config:
            self.log.info("Endpoint %s is %s: a deployment of %s is under way", self.endpoint_name, status, config)
            acted = True
        self.check_alive()
        if acted and not self.wait_for_completion:
            return self._summary(self.hook.require("Endpoint", self.endpoint_name))
        waiter = "endpoint_settled" if acted or status != "Deleting" else "endpoint_deleted"
        if status in _DEAD:
            waiter = "endpoint_deleted"
        return self.wait(context, waiter=waiter, name=self.endpoint_name, then="execute_complete", acted=acted)

    def _act(self, context: Context, description: Mapping[str, Any] | None, config: str) -> bool:
        """Create, update, or delete a dead one; True where the outcome will be this try's."""
        status = description["EndpointStatus"] if description else None
        names = {"EndpointName": self.endpoint_name, "EndpointConfigName": config}
        if status in _DEAD:
            self.log.info("Endpoint %s is %s: deleting it to recreate it", self.endpoint_name, status)
            self.hook.delete("Endpoint", self.endpoint_name)
            return False
        if description and status in _READY:
            # The tags first: a try that finds the update under way has nothing but the wait left to do.
            self.hook.add_tags(description["EndpointArn"], self._tags_of_update(context, description["EndpointArn"]))
            return self._update({**names, **self._change()})
        try:
            self.hook.create(
                "Endpoint", {**names, **self._deployment(), "Tags": self.resource_tags(RunKey.of(context))}
            )
            self.log.info("Creating endpoint %s with %s", self.endpoint_name, config)
        except AlreadyExists:
            self.log.info("Endpoint %s was made by another process in the meantime", self.endpoint_name)
            return False
        return True

    def _update(self, request: Mapping[str, Any]) -> bool:
        """Begin the update; False where a change of somebody else's is under way, such as scaling."""
        try:
            self.hook.update("Endpoint", request)
        except RequestRefused as error:
            if not is_in_progress(error):
                raise
            self.log.info("Endpoint %s takes another change first: %s", self.endpoint_name, error)
            return False
        self.log.info("Updating endpoint %s to %s", self.endpoint_name, request["EndpointConfigName"])
        return True

    def _fail(self, description: Mapping[str, Any] | None, config: str) -> None:
        if description is None:
            raise JobFailed(f"Endpoint {self.endpoint_name} was deleted while this task waited for it")
        status, reason = description["EndpointStatus"], description.get("FailureReason", "AWS gives no reason")
        tail = self.hook.logs.tail(f"/aws/sagemaker/Endpoints/{self.endpoint_name}", "")
        self.log.error("Last lines of endpoint %s:\n%s", self.endpoint_name, "\n".join(tail))
        if status in _READY:
            serving = description["EndpointConfigName"]
            raise JobFailed(
                f"Endpoint {self.endpoint_name} did not take {config} and is {status} with {serving}: {reason}"
            )
        raise JobFailed(f"Endpoint {self.endpoint_name} is {status}: {reason}")

    def _variants(self) -> list[dict[str, Any]]:
        only = {"name": "AllTraffic", "model": self.model_name, "instance_type": self.instance_type}
        return [
            {
                "VariantName": variant["name"],
                "ModelName": str(variant["model"]),
                "InstanceType": variant["instance_type"],
                "InitialInstanceCount": int(variant.get("instances", 1)),
                "InitialVariantWeight": float(variant.get("weight", 1.0)),
            }
            for variant in self.variants or [{**only, "instances": self.instance_count}]
        ]

    def _change(self) -> dict[str, Any]:
        """Return what UpdateEndpoint takes beside the names."""
        change = self._deployment()
        retained = self.retain_variant_properties
        if retained is False:
            return change
        change["RetainAllVariantProperties"] = True
        if retained is not True and retained:
            change["ExcludeRetainedVariantProperties"] = [{"VariantPropertyType": name} for name in retained]
        return change

    def _deployment(self) -> dict[str, Any]:
        return {"DeploymentConfig": with_numbers(self.deployment, _NUMBERS)} if self.deployment else {}

    def _config_name(self, context: Context) -> str:
        variants = self._variants()
        content = [variants, self.data_capture] if self.data_capture else variants
        return endpoint_config_name(self.endpoint_name, RunKey.of(context), content)

    def _tags_of_update(self, context: Context, arn: str) -> list[dict[str, str]]:
        """Return the tags that the endpoint gets: a guest of one that is to stay does not make it its own."""
        made = self.resource_tags(RunKey.of(context))
        if self.ttl is None or self.hook.tags_of(arn).get(EXPIRES) != NEVER:
            return made
        return [tag for tag in made if tag["Key"] not in {"project", "dag", "run", EXPIRES}]

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


def is_in_progress(error: RequestRefused) -> bool:
    """Return True if AWS refused a change because another change of the endpoint has begun meanwhile."""
    return "cannot update in-progress endpoint" in str(error).lower()


def _whole(value: Any) -> Any:
    """Convert digits to a whole number; leave any other text for AWS to refuse."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


#: the numbers in a DeploymentConfig.
_NUMBERS = dict.fromkeys(
    ("Value", "WaitIntervalInSeconds", "TerminationWaitInSeconds", "MaximumExecutionTimeoutInSeconds"), _whole
)


class DeleteEndpointOperator(SageMakerOperator):
    """
    Delete an endpoint, the configurations that :class:`EndpointOperator` made for it, and the models in these.

    What is already gone is passed over, so a second run, or one after a crash half-way, ends the same. Models go before
    their configuration, which is where their names are.

    Returns ``{"endpoint", "deleted": {"endpoint": bool, "configs": [names], "models": [names]}}``. The XCom
    ``lived_seconds`` is how long there was the endpoint.

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
        if description["EndpointStatus"] in CHANGING:
            self.log.info(
                "Endpoint %s is %s: AWS deletes it after that", self.endpoint_name, description["EndpointStatus"]
            )
            return self.wait(context, waiter="endpoint_settled", name=self.endpoint_name, then="execute_again")
        # What is billed: for the report of a run's costs.
        lived = datetime.now(UTC) - description["CreationTime"]
        context["ti"].xcom_push(key="lived_seconds", value=round(lived.total_seconds()))
        if description["EndpointStatus"] != "Deleting":
            self.hook.delete("Endpoint", self.endpoint_name)
        config = description["EndpointConfigName"]
        return self.wait(
            context, waiter="endpoint_deleted", name=self.endpoint_name, then="execute_complete", config=config
        )

    def execute_again(self, context: Context, event: Mapping[str, str] | None = None) -> Any:
        """Execute again after the change that was under way."""
        self.check_event(event, "Endpoint")
        return self.execute(context)

    def execute_complete(
        self, context: Context, event: Mapping[str, str] | None = None, *, config: str | None = None
    ) -> Any:
        """Delete the rest once the endpoint is gone."""
        event = self.check_event(event, "Endpoint")
        if event["status"] != "success":
            raise JobFailed(f"Endpoint {self.endpoint_name} could not be deleted and is {event['resource_status']}")
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
        for name in self.hook.endpoint_configs(self.endpoint_name[:40]):
            if is_endpoint_config_name(name, self.endpoint_name):
                yield name
