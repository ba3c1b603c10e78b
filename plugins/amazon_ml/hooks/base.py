"""What the hooks of amazon_ml share: how often they try, what AWS's errors mean, how they list."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

from amazon_ml.exceptions import RequestRefused
from amazon_ml.waiting import transient

Hook = TypeVar("Hook", bound="ServiceHook")

#: how often one call is tried; botocore waits 1, 2, 4, ... up to 20 s between, less a random part.
ATTEMPTS = 10
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


class ServiceHook(AwsBaseHook):
    """
    Base of the hooks; there is one for each service.

    Throttling and 5xx are tried again with backoff, by botocore; the connection's own ``config_kwargs`` and ``config``
    go before our settings. A request that AWS refuses raises :class:`RequestRefused` with AWS's message. Every client
    is made by Airflow's hook: so it goes where the connection or ``AWS_ENDPOINT_URL`` says.

    :param config: settings of botocore's Config.
    :param attempts: how often a call is tried, where ``config`` does not say so.
    """

    #: boto3's name of the service.
    service: ClassVar[str]

    def __init__(
        self,
        aws_conn_id: str | None = "aws_default",
        *,
        region_name: str | None = None,
        verify: bool | str | None = None,
        config: Mapping[str, Any] | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        super().__init__(
            aws_conn_id=aws_conn_id,
            region_name=region_name,
            verify=verify,
            config=dict(config) if config else None,
            client_type=self.service,
        )
        self._given_config = config
        self._attempts = attempts
        self._siblings: dict[type[ServiceHook], Any] = {}

    @property
    def config(self) -> Any:
        """Return the connection's botocore settings, merged over the defaults of this hook."""
        from botocore.config import Config

        ours = Config(retries={"mode": "standard", "total_max_attempts": self._attempts})
        return ours.merge(super().config)

    def sibling(self, hook_class: type[Hook]) -> Hook:
        """Return the hook of another service, made once, with the same connection and settings."""
        if hook_class not in self._siblings:
            self._siblings[hook_class] = hook_class(
                self.aws_conn_id,
                region_name=self._region_name,
                verify=self._verify,
                config=self._given_config,
                attempts=self._attempts,
            )
        made: Hook = self._siblings[hook_class]
        return made

    async def async_client(self) -> Any:
        """Return an aiobotocore client, a context manager."""
        return await self.get_async_conn()  # type: ignore[no-untyped-call]

    def _call(self, method: str, **request: Any) -> dict[str, Any]:
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

    def _call_unless(self, codes: Collection[str], method: str, **request: Any) -> dict[str, Any] | None:
        """
        One call of boto3's ``method``; None where AWS refuses it with one of these error codes.

        For what a code says plainly: there is no such user, or the name is taken.
        """
        try:
            return self._call(method, **request)
        except RequestRefused as error:
            if error_code(error.__cause__) in codes:
                return None
            raise

    def _pages(self, method: str, **request: Any) -> Iterator[dict[str, Any]]:
        """Yield the answers of a List operation, 100 entries each unless the request has another ``MaxResults``."""
        return self._follow(method, **{"MaxResults": 100, **request})

    def _follow(
        self, method: str, *, member: str = "NextToken", answered: str = "", **request: Any
    ) -> Iterator[dict[str, Any]]:
        """
        Yield the answers of an operation until one has no token for the next.

        :param member: the API's name for it in a request, and in an answer unless ``answered`` is another.
        """
        given: dict[str, str] = {}
        while True:
            page = self._call(method, **request, **given)
            yield page
            if not page.get(answered or member):
                return
            given = {member: page[answered or member]}


def is_busy(error: BaseException) -> bool:
    """Return True if a quota is used up by something that ends, so that waiting helps."""
    return error_code(error) in _QUOTAS and not _UNUSED.search(str(error))


def is_passing(error: BaseException) -> bool:
    """Return True if a later try may succeed: a quota is reached, or credentials have expired."""
    return error_code(error) in _PASSING


def error_code(error: BaseException | None) -> str:
    """Return AWS's code of an error; "" for one that is not AWS's."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _refuse(method: str, request: Mapping[str, Any], error: Any) -> NoReturn:
    detail = error.response["Error"]
    # S3's messages do not say which bucket or key they are about.
    of = ", ".join(str(value) for key, value in request.items() if key in {"Bucket", "Key"} or key.endswith("Name"))
    raise RequestRefused(f"{method}({of}): {detail['Code']}: {detail.get('Message', '')}") from error
