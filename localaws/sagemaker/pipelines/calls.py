"""Steps that are done at once: Model, RegisterModel, Condition and Fail."""

from __future__ import annotations

import hashlib
from typing import Any

from localaws.core.context import Context
from localaws.core.errors import AwsError, ValidationException
from localaws.sagemaker.models import api as model
from localaws.sagemaker.pipelines import conditions, shapes
from localaws.sagemaker.pipelines.definition import Step
from localaws.sagemaker.pipelines.failures import StepFailure, of_call
from localaws.sagemaker.pipelines.work import Call, Result, Work, request
from localaws.sagemaker.registry import group_api as model_package_group
from localaws.sagemaker.registry import package_api as model_package


class Model(Call):
    """CreateModel."""

    type = "Model"
    described = ("DescribeModel",)

    def check(self, step: Step) -> None:
        """Check that the arguments are those of the operation."""
        shapes.check("CreateModel", step, made="ModelName")

    def run(self, work: Work) -> Result:
        """Create the model, unless this attempt has."""
        prefix = work.arguments.get("ModelName") or "pipelines"
        # In lower case, as its ARN has it: so that an ARN leads to the name.
        asked = request("CreateModel", {**work.arguments, "ModelName": work.name(prefix).lower()})
        try:
            if work.ctx.store.get("model", asked["ModelName"]) is None:
                model.create_model(asked, work.ctx)
        except AwsError as error:
            raise of_call("CreateModel", error) from error
        record = model.find(work.ctx, asked["ModelName"])
        return Result({"Model": {"Arn": record["ModelArn"]}}, record)


class RegisterModel(Call):
    """CreateModelPackage; a group that is not there is made, as AWS does it."""

    type = "RegisterModel"
    described = ("DescribeModelPackage",)

    def check(self, step: Step) -> None:
        """Check that the arguments are those of the operation."""
        shapes.check("CreateModelPackage", step)

    def run(self, work: Work) -> Result:
        """Register the package; the token makes it one package an attempt."""
        token = hashlib.sha256(work.id.encode()).hexdigest()[:36]
        asked = request("CreateModelPackage", {**work.arguments, "ClientToken": token})
        try:
            if group := asked.get("ModelPackageGroupName"):
                _ensure_group(group, work.ctx)
            arn = model_package.create_model_package(asked, work.ctx)["ModelPackageArn"]
        except AwsError as error:
            raise of_call("CreateModelPackage", error) from error
        return Result({"RegisterModel": {"Arn": arn}}, model_package.find(work.ctx, arn))


def _ensure_group(name: str, ctx: Context) -> None:
    if name.startswith("arn:"):
        return
    with ctx.store.transaction():
        if ctx.store.get(model_package_group.KIND, name) is None:
            asked = request("CreateModelPackageGroup", {"ModelPackageGroupName": name})
            model_package_group.create_model_package_group(asked, ctx)


class Condition(Call):
    """Chooses IfSteps, where all conditions hold, or ElseSteps."""

    type = "Condition"
    properties = ("Outcome",)

    def check(self, step: Step) -> None:
        """Check that the conditions match the schema."""
        found = step.arguments.get("Conditions")
        if not isinstance(found, list) or not found:
            raise ValidationException(
                f"Unable to parse pipeline definition. Condition step '{step.name}' must have at least one condition."
            )
        for condition in found:
            conditions.check(condition, step.name)

    def run(self, work: Work) -> Result:
        """Evaluate."""
        try:
            outcome = str(all([conditions.holds(each) for each in work.arguments["Conditions"]]))
        except conditions.NotComparable as error:
            raise StepFailure(f"ClientError: Unable to evaluate the conditions: {error}") from error
        return Result({"Condition": {"Outcome": outcome}}, {"Outcome": outcome})


class Fail(Call):
    """Ends the execution as Failed."""

    type = "Fail"

    def check(self, step: Step) -> None:
        """Check that the message, if there is one, is a string or an expression."""
        message: Any = step.arguments.get("ErrorMessage", "")
        if not isinstance(message, str | dict):
            raise ValidationException(
                f"Unable to parse pipeline definition. ErrorMessage of step '{step.name}' must be a string."
            )

    def run(self, work: Work) -> Result:
        """Fail, with the message."""
        message = str(work.arguments.get("ErrorMessage", ""))
        raise StepFailure(message, metadata={"Fail": {"ErrorMessage": message}})
