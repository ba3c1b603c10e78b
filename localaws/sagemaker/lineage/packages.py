"""What SageMaker makes by itself of model packages: their artifact, their group's context, and each approval."""

from __future__ import annotations

from localaws.core.context import Context
from localaws.sagemaker.lineage import associations
from localaws.sagemaker.lineage.entities import ACTION, CONTEXT, Record, artifact
from localaws.sagemaker.models.containers import model_data
from localaws.sagemaker.registry.events import DECIDED, REGISTERED


@REGISTERED.listen
def registered(record: Record, group: Record | None, ctx: Context) -> None:
    """
    Make the entities of a new package, inside its own transaction.

    :param group: the record of its group, if it is in one.
    """
    package = artifact(ctx, record["ModelPackageArn"], "ModelPackage")
    for container in record.get("InferenceSpecification", {}).get("Containers", []):
        if "Image" in container:
            associations.derive(ctx, artifact(ctx, container["Image"], "Image"), package, "ContributedTo")
        if uri := model_data(container):
            associations.derive(ctx, artifact(ctx, uri, "Model"), package, "ContributedTo")
    if group is None:
        return
    name = f"{group['ModelPackageGroupName']}-{int(group['CreationTime'].timestamp())}-aws-model-group"
    members = {
        "ContextName": name,
        "ContextType": "ModelGroup",
        "Source": {"SourceUri": group["ModelPackageGroupArn"], "SourceType": "ARN"},
    }
    associations.derive(ctx, package, CONTEXT.ensure(ctx, name, members), "AssociatedWith")
    decided(record, ctx)


@DECIDED.listen
def decided(record: Record, ctx: Context) -> None:
    """Make the action of an approval, a rejection, or of the wait for one."""
    status = record["ModelApprovalStatus"]
    when = int((record.get("LastModifiedTime") or record["CreationTime"]).timestamp())
    name = f"{record['ModelPackageGroupName']}-{record['ModelPackageVersion']}-{status}-{when}-aws-model-package"
    properties = {"ModelApprovalStatus": status}
    if record.get("ApprovalDescription"):
        properties["ApprovalDescription"] = record["ApprovalDescription"]
    members = {
        "ActionName": name,
        "ActionType": "Approval",
        "Status": "Completed",
        "Source": {"SourceUri": record["ModelPackageArn"], "SourceType": "ARN"},
        "Properties": properties,
    }
    action = ACTION.ensure(ctx, name, members)
    associations.derive(ctx, action, artifact(ctx, record["ModelPackageArn"], "ModelPackage"), "ContributedTo")
