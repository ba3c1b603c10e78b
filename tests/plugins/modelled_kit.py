"""A client of AWS that checks requests by botocore's model and gives prepared answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator


@cache
def operations(service: str) -> dict[str, Any]:
    """Method of boto3 -> model of the operation."""
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


class Modelled:
    """A client that checks requests by the service's model; an answer may be an error code or a function."""

    def __init__(self, service: str, answers: dict[str, Any]) -> None:
        self.service = service
        self.answers = answers
        self.asked: list[dict[str, Any]] = []

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            report = ParamValidator().validate(request, operations(self.service)[method].input_shape)
            assert not report.has_errors(), f"{method}: {report.generate_report()}"
            self.asked.append(request)
            answer = self.answers[method]
            if callable(answer):
                answer = answer(**request)
            if isinstance(answer, str):
                raise ClientError({"Error": {"Code": answer, "Message": "words"}}, method)
            return next(answer) if isinstance(answer, Iterator) else answer

        return call
