"""SageMaker through boto3: the few calls that the operators make, and what their errors mean."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NoReturn

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from amazon_ml.exceptions import BadResult, RequestRefused
from amazon_ml.naming import identifier, unversioned
from amazon_ml.waiting import transient

#: how often one call is tried; botocore waits 1, 2, 4, ... up to 20 s between, less a random part.
ATTEMPTS = 10
#: a result has to fit into XCom.
MAX_RESULT_BYTES = 32 * 1024

_LOG_STREAMS = 4
_LOG_LOOKS = 5
_LOG_PAUSE = 1.0
#: a quota is reached.
_QUOTAS = frozenset({"ResourceLimitExceeded", "ServiceQuotaExceededException"})
#: in AWS's words about a quota: nothing uses it, so that no wait would free any of it.
_UNUSED = re.compile(r"current utilization of 0\b")
#: refusals that a later try may not meet: a quota, and credentials that are about to be renewed.
_PASSING = _QUOTAS | frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
    }
)


class AlreadyExists(Exception):
    """Somebody made it between our look and our Create: the name is taken."""


class SageMakerJobHook(AwsBaseHook):
    """
    Jobs, models and endpoints, by the name of their kind as AWS spells it: "TrainingJob", "EndpointConfig".

    Throttling and 5xx are tried again with backoff, by botocore; the connection's own ``config_kwargs`` and ``config``
    go before our settings. A request that AWS refuses raises :class:`RequestRefused` with AWS's
    message. Every client, of whatever service, is made by Airflow's hook: so it goes where the connection or
    ``AWS_ENDPOINT_URL`` says.
    """

    def __init__(
        self,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        config: Mapping[str, Any] | None = None,
        service: str = "sagemaker",
        attempts: int = ATTEMPTS,
    ) -> None:
        super().__init__(
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            config=dict(config) if config else None,
            client_type=service,
        )
        self._given_config = config
        self._attempts = attempts

    @property
    def config(self) -> Any:
        """The connection's botocore settings over ours."""
        from botocore.config import Config

        ours = Config(retries={"mode": "standard", "total_max_attempts": self._attempts})
        return ours.merge(super().config)

    def of(self, service: str) -> SageMakerJobHook:
        """Return a hook with the same connection for another service."""
        return SageMakerJobHook(
            self.aws_conn_id, self._region_name, self._verify, self._given_config, service, self._attempts
        )

    def call(self, method: str, **request: Any) -> dict[str, Any]:
        """
        One call of boto3's ``method``.

        :raises RequestRefused: botocore or AWS says that the request is malformed or not allowed.
        :raises botocore.exceptions.ClientError: throttled or failed still after all attempts, a quota is reached, or
            credentials have expired.
        """
        from botocore.exceptions import ClientError, ParamValidationError

        try:
            answer: dict[str, Any] = getattr(self.conn, method)(**request)
        except ParamValidationError as error:
            raise RequestRefused(f"{method}: {error}") from error
        except ClientError as error:
            if transient(error) or is_passing(error):
                raise
            _refuse(method, request, error)
        return answer

    def call_unless(self, codes: Collection[str], method: str, **request: Any) -> dict[str, Any] | None:
        """
        One call of boto3's ``method``; None where AWS refuses it with one of these error codes.

        For what a code says plainly: there is no such user, or the name is taken.
        """
        try:
            return self.call(method, **request)
        except RequestRefused as error:
            if _code(error.__cause__) in codes:
                return None
            raise

    def pages(self, method: str, **request: Any) -> Iterator[dict[str, Any]]:
        """Yield the answers of a List operation, 100 entries each unless the request has another ``MaxResults``."""
        token: dict[str, str] = {}
        while True:
            page = self.call(method, **{"MaxResults": 100, **request, **token})
            yield page
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def describe(self, kind: str, name: str) -> dict[str, Any] | None:
        """Describe the resource; None where there is none of that name."""
        try:
            return self.call(f"describe_{_snake(kind)}", **_named(kind, name))
        except RequestRefused as error:
            if _means_missing(error.__cause__):
                return None
            raise

    def newest_model_package(self, group: str, **chosen: str) -> dict[str, Any] | None:
        """
        Return the newest version of a package group; None without one, or without the group.

        :param chosen: what else ListModelPackages is asked for, such as ``ModelApprovalStatus``.
        """
        return next(self.model_packages(group, **chosen), None)

    def model_packages(self, group: str, **chosen: str) -> Iterator[dict[str, Any]]:
        """Describe the versions of a package group one by one, the newest first; nothing without the group."""
        if self.describe("ModelPackageGroup", group) is None:
            return
        # The order is said, since AWS gives the oldest first.
        asked = {"SortBy": "CreationTime", "SortOrder": "Descending", **chosen}
        for page in self.pages("list_model_packages", ModelPackageGroupName=group, **asked):
            for summary in page["ModelPackageSummaryList"]:
                yield self.call("describe_model_package", ModelPackageName=summary["ModelPackageArn"])

    def serves(self, endpoint: str, model_package_arn: str) -> bool:
        """Whether a variant of the endpoint, or of the update that it is taking, is made of this version."""
        found = self.describe("Endpoint", endpoint)
        if found is None or found["EndpointStatus"] in {"Failed", "OutOfService", "Deleting"}:
            return False
        config = self.describe("EndpointConfig", found["EndpointConfigName"]) or {}
        for variant in config.get("ProductionVariants", []):
            model = self.describe("Model", variant.get("ModelName", "")) or {}
            containers = [model.get("PrimaryContainer", {}), *model.get("Containers", [])]
            if model_package_arn in {container.get("ModelPackageName") for container in containers}:
                return True
        return False

    async def async_client(self) -> Any:
        """Return an aiobotocore client, a context manager."""
        return await self.get_async_conn()  # type: ignore[no-untyped-call]

    def look(self, kind: str, name: str, parts: str = "") -> dict[str, Any]:
        """
        Describe, with botocore's own errors: for a poll, whose rules say what each of them means.

        :param parts: a further operation whose answer goes into it, see :class:`amazon_ml.waiting.Rules`.
        """
        answer: dict[str, Any] = getattr(self.conn, f"describe_{_snake(kind)}")(**_named(kind, name))
        return {**answer, **getattr(self.conn, _snake(parts))(**_named(kind, name))} if parts else answer

    def create(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """
        Create it; AWS's answer.

        :raises AlreadyExists: the name is taken.
        """
        try:
            return self.call(f"create_{_snake(kind)}", **request)
        except RequestRefused as error:
            if _means_taken(error.__cause__):
                raise AlreadyExists(str(error)) from error
            raise

    def stop(self, kind: str, name: str) -> None:
        """Stop a job; one that has ended, or was never there, needs no stop."""
        try:
            self.call(f"stop_{_snake(unversioned(kind))}", **_named(kind, name))
        except RequestRefused as error:
            if not _is_validation(error.__cause__):
                raise
            self.log.info("%s %s needs no stop: %s", kind, name, error)

    def delete(self, kind: str, name: str) -> bool:
        """Delete a model, an endpoint or its configuration; False where there was none."""
        try:
            self.call(f"delete_{_snake(kind)}", **_named(kind, name))
        except RequestRefused as error:
            if _means_missing(error.__cause__):
                return False
            raise
        return True

    def put_missing(self, bucket: str, contents: Mapping[str, bytes]) -> int:
        """
        Put those objects that are not there yet; their number.

        For keys that carry a hash of the content: an object is put whole or not at all, so one that is there is right.
        """
        s3 = self.of("s3")
        missing = [key for key in contents if not s3.has_object(bucket, key)]
        for key in missing:
            s3.call("put_object", Bucket=bucket, Key=key, Body=contents[key])
        return len(missing)

    def has_object(self, bucket: str, key: str) -> bool:
        """Whether S3 has the object; for a hook of the service "s3"."""
        try:
            self.call("head_object", Bucket=bucket, Key=key)
        except RequestRefused as error:
            if _code(error.__cause__) in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise
        return True

    def read_json(self, uri: str) -> Any:
        """
        Read a small JSON document from S3.

        :raises BadResult: not there, over 32 KiB, or not JSON.
        """
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            answer = self.of("s3").call("get_object", Bucket=bucket, Key=key)
        except RequestRefused as error:
            if _code(error.__cause__) in {"NoSuchKey", "404"}:
                raise BadResult(f"The job completed and wrote no {uri}") from error
            raise
        with answer["Body"] as body:
            if answer["ContentLength"] > MAX_RESULT_BYTES:
                raise BadResult(
                    f"{uri} has {answer['ContentLength']} bytes: a result goes into XCom, at most {MAX_RESULT_BYTES}"
                )
            content = body.read()
        try:
            return json.loads(content, parse_constant=_no_constant)
        except ValueError as error:
            raise BadResult(f"{uri} is not JSON: {error}") from error

    def log_tail(self, group: str, stream_prefix: str, lines: int = 40) -> list[str]:
        """
        Return the last lines that the job wrote, of each of its instances (four at most), oldest first.

        The lines reach CloudWatch a little after they were written: looks until two looks see the same. Never raises
        for a log that is missing or closed to us: it is asked for to explain another failure.
        """
        logs: Any = self.of("logs").conn
        tail: list[str] = []
        for _ in range(_LOG_LOOKS):
            before, tail = tail, self._log_lines(logs, group, stream_prefix, lines)
            if tail and tail == before and not tail[-1].startswith("("):
                break
            time.sleep(_LOG_PAUSE)
        return tail

    def _log_lines(self, logs: Any, group: str, stream_prefix: str, lines: int) -> list[str]:
        from botocore.exceptions import BotoCoreError, ClientError

        tail: list[str] = []
        try:
            found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream_prefix)
            for stream in found["logStreams"][:_LOG_STREAMS]:
                name = stream["logStreamName"]
                events = logs.get_log_events(logGroupName=group, logStreamName=name, limit=lines, startFromHead=False)[
                    "events"
                ]
                tail.append(f"--- {group} {name}")
                tail.extend(event["message"].rstrip() for event in events[-lines:])
        except (ClientError, BotoCoreError) as error:
            return [*tail, f"(no log from {group} {stream_prefix}: {error})"]
        return tail or [f"(nothing in {group} {stream_prefix})"]


def is_busy(error: BaseException) -> bool:
    """Whether a quota is used up by something that ends, so that waiting helps."""
    return _code(error) in _QUOTAS and not _UNUSED.search(str(error))


def is_passing(error: BaseException) -> bool:
    """Whether a later try may not meet this refusal: a quota is reached, or credentials have expired."""
    return _code(error) in _PASSING


def _named(kind: str, name: str) -> dict[str, str]:
    return {identifier(kind): name}


def _snake(kind: str) -> str:
    from botocore import xform_name

    return str(xform_name(kind))


def _refuse(method: str, request: Mapping[str, Any], error: Any) -> NoReturn:
    detail = error.response["Error"]
    # S3's messages do not say which bucket or key they are about.
    of = ", ".join(str(value) for key, value in request.items() if key in {"Bucket", "Key"} or key.endswith("Name"))
    raise RequestRefused(f"{method}({of}): {detail['Code']}: {detail.get('Message', '')}") from error


def _code(error: BaseException | None) -> str:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _message(error: BaseException | None) -> str:
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Message", "")).lower()


def _is_validation(error: BaseException | None) -> bool:
    return _code(error) in {"ValidationException", "ValidationError", "ResourceNotFound"}


def _means_missing(error: BaseException | None) -> bool:
    # SageMaker has no one answer for "no such thing": most operations answer ValidationException and one of these.
    wordings: tuple[Callable[[str], bool], ...] = (
        lambda text: "not found" in text,
        lambda text: "could not find" in text,
        lambda text: "does not exist" in text,
        # DescribeWorkforce's and DescribeWorkteam's.
        lambda text: "no workforce" in text,
        lambda text: text.startswith("the work team"),
    )
    return _code(error) == "ResourceNotFound" or (
        _is_validation(error) and any(says(_message(error)) for says in wordings)
    )


def _means_taken(error: BaseException | None) -> bool:
    # Jobs answer ResourceInUse; models, configurations and endpoints ValidationException with this wording.
    return _code(error) == "ResourceInUse" or (_is_validation(error) and "already exist" in _message(error))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
