"""
The policies of the template's two roles, from what is called.

``calls.txt`` has a line for each caller and operation, as localaws records them in ``<home>/localaws/calls.txt``. Add
what a run has called, and write the policies into the template, by

    python -m infra.policy --add .local/localaws/calls.txt --write
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
CALLS = HERE / "calls.txt"
TEMPLATE = HERE / "template.yaml"

#: those whose calls need a policy; ``other`` is whoever else has the keys of a localaws.
CALLERS = ("airflow", "job")

#: botocore's service -> prefix of its actions, where they differ.
_PREFIXES = {
    "sagemaker-runtime": "sagemaker",
    "sagemaker-featurestore-runtime": "sagemaker",
    "sagemaker-a2i-runtime": "sagemaker",
    "sagemaker-metrics": "sagemaker",
    "resourcegroupstaggingapi": "tag",
}
_READ_TABLES = ("glue:GetDatabase", "glue:GetPartitions", "glue:GetTable")
_SHIPPED = ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketLocation")
#: operation -> actions, where they are not one and of the same name.
_ACTIONS: dict[str, tuple[str, ...]] = {
    "s3:HeadObject": ("s3:GetObject",),
    "s3:HeadBucket": ("s3:ListBucket",),
    "s3:ListObjectsV2": ("s3:ListBucket",),
    "s3:CopyObject": ("s3:GetObject", "s3:PutObject"),
    "s3:DeleteObjects": ("s3:DeleteObject",),
    "s3:CreateMultipartUpload": ("s3:PutObject",),
    "s3:UploadPart": ("s3:PutObject",),
    "s3:CompleteMultipartUpload": ("s3:PutObject",),
    # Athena reads the catalog and the data, and writes the answer, as the caller.
    "athena:StartQueryExecution": ("athena:StartQueryExecution", *_READ_TABLES, *_SHIPPED),
    # Target tracking makes alarms as the caller, and the first registration a role of the service's own.
    "application-autoscaling:PutScalingPolicy": (
        "application-autoscaling:PutScalingPolicy",
        "cloudwatch:DeleteAlarms",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:PutMetricAlarm",
    ),
    "application-autoscaling:RegisterScalableTarget": (
        "application-autoscaling:RegisterScalableTarget",
        "iam:CreateServiceLinkedRole",
    ),
    "secretsmanager:CreateSecret": ("secretsmanager:CreateSecret", "secretsmanager:TagResource"),
    # With tags.
    "glue:CreateCrawler": ("glue:CreateCrawler", "glue:TagResource"),
    "cognito-idp:CreateUserPool": ("cognito-idp:CreateUserPool", "cognito-idp:TagResource"),
}
#: what names a role that the service is to assume.
_PASSES_ROLE = frozenset(
    f"sagemaker:Create{kind}"
    for kind in (
        *("AutoMLJob", "AutoMLJobV2", "FeatureGroup", "FlowDefinition", "HumanTaskUi", "HyperParameterTuningJob"),
        *("Model", "Pipeline", "ProcessingJob", "TrainingJob"),
    )
) | {"glue:CreateCrawler", "glue:UpdateCrawler", "sagemaker:RenderUiTemplate", "sagemaker:UpdatePipeline"}
#: actions that know no resource, beside the lists of SageMaker: AWS allows them by "*" or not at all.
_ON_ALL = frozenset(
    {
        "cloudwatch:GetMetricData",
        "cloudwatch:ListMetrics",
        "cloudwatch:PutMetricData",
        "cognito-idp:CreateUserPool",
        "cognito-idp:DescribeUserPoolDomain",
        "cognito-idp:ListUserPools",
        "ecr:GetAuthorizationToken",
        "glue:CreateClassifier",
        "glue:UpdateClassifier",
        "logs:DescribeLogGroups",
        "sagemaker:RenderUiTemplate",
        "tag:GetResources",
    }
)
_HERE = "${AWS::Region}:${AWS::AccountId}"
_ARN = "arn:${AWS::Partition}"
_BUCKET = "${Bucket.Arn}"
#: prefix of actions -> resources. Names of SageMaker's follow from DAG and run: account and region are the bounds.
_RESOURCES = {
    "athena": [f"{_ARN}:athena:{_HERE}:workgroup/${{WorkGroup}}", f"{_ARN}:athena:{_HERE}:datacatalog/AwsDataCatalog"],
    "application-autoscaling": [f"{_ARN}:application-autoscaling:{_HERE}:scalable-target/*"],
    "cloudwatch": [f"{_ARN}:cloudwatch:{_HERE}:alarm:*"],
    "cognito-idp": [f"{_ARN}:cognito-idp:{_HERE}:userpool/*"],
    "ecr": [f"{_ARN}:ecr:${{AWS::Region}}:*:repository/*"],
    "glue": [
        f"{_ARN}:glue:{_HERE}:catalog",
        f"{_ARN}:glue:{_HERE}:crawler/*",
        f"{_ARN}:glue:{_HERE}:database/${{DatabaseName}}",
        f"{_ARN}:glue:{_HERE}:table/${{DatabaseName}}/*",
        # Where Feature Store keeps the tables of its offline stores.
        f"{_ARN}:glue:{_HERE}:database/sagemaker_featurestore",
        f"{_ARN}:glue:{_HERE}:table/sagemaker_featurestore/*",
    ],
    "iam": [f"{_ARN}:iam::${{AWS::AccountId}}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"],
    "logs": [f"{_ARN}:logs:{_HERE}:log-group:/aws/sagemaker/*", f"{_ARN}:logs:{_HERE}:log-group:/aws-glue/*"],
    "sagemaker": [f"{_ARN}:sagemaker:{_HERE}:*"],
    "sns": [f"{_ARN}:sns:{_HERE}:*"],
    "secretsmanager": [f"{_ARN}:secretsmanager:{_HERE}:secret:${{SecretPrefix}}*"],
}
#: what AWS itself calls as the role that a job runs as, and no record of localaws has.
_OF_THE_SERVICE = {
    "job": (
        *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
        "ecr:GetDownloadUrlForLayer",
        "s3:GetBucketAcl",
        "s3:PutObjectAcl",
    )
}


def read(path: Path) -> set[str]:
    """Return the lines of a record."""
    return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}


def actions_of(operation: str) -> tuple[str, ...]:
    """Return the IAM actions that an operation needs, such as ``s3:GetObject`` for ``s3:HeadObject``."""
    service, _, name = operation.partition(":")
    own = _ACTIONS.get(operation, (f"{_PREFIXES.get(service, service)}:{name}",))
    return (*own, "iam:PassRole") if operation in _PASSES_ROLE else own


def actions(caller: str, calls: Iterable[str]) -> set[str]:
    """Return the actions that the policy of a caller allows."""
    called = (line.partition(" ")[2] for line in calls if line.startswith(f"{caller} "))
    return {action for operation in called for action in actions_of(operation)} | {*_OF_THE_SERVICE.get(caller, ())}


def statements(caller: str, calls: Iterable[str]) -> str:
    """Return the statements of a caller's policy, as the lines of the template."""
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for action in sorted(actions(caller, calls)):
        groups[place(action)].append(action)
    return "\n".join(_statement(name, resources, allowed) for (name, resources), allowed in sorted(groups.items()))


def written(template: str, calls: Iterable[str]) -> str:
    """Return the template with the policies of these calls between its marks."""
    for caller in CALLERS:
        begin, end = (f"# {mark} of what {caller} calls (infra/policy.py)\n" for mark in ("begin", "end"))
        before, _, rest = template.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"the template has no marks for {caller}: {begin!r} and {end!r}")
        indent = before.rpartition("\n")[2]
        body = "\n".join(f"{indent}{line}" for line in statements(caller, calls).split("\n"))
        template = f"{before}{begin}{body}\n{indent}{end}{after}"
    return template


def place(action: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of the statement that an action belongs to, and its resources."""
    service, _, name = action.partition(":")
    if action == "iam:PassRole":
        return "PassRole", ("${ExecutionRole}",)
    if action in _ON_ALL or (service == "sagemaker" and name.startswith("List")):
        return "WithoutResource", ("*",)
    if service == "s3":
        of_bucket = "Bucket" in name
        return ("Bucket", (_BUCKET,)) if of_bucket else ("Objects", (f"{_BUCKET}/*",))
    return "".join(part.capitalize() for part in service.split("-")), tuple(_RESOURCES[service])


def _statement(name: str, resources: tuple[str, ...], allowed: list[str]) -> str:
    lines = [
        f"- Sid: {name}",
        "  Effect: Allow",
        "  Action:",
        *(f"    - {action}" for action in allowed),
        "  Resource:",
    ]
    lines += [f"    - {_resource(resource)}" for resource in resources]
    if name == "PassRole":
        services = ("glue.amazonaws.com", "sagemaker.amazonaws.com")
        lines += ["  Condition:", "    StringEquals:", "      iam:PassedToService:"]
        lines += [f"        - {service}" for service in services]
    return "\n".join(lines)


def _resource(resource: str) -> str:
    if resource == "*":
        return '"*"'
    if resource == "${ExecutionRole}":
        # By its name: the role's own policy would else need the role before it is made.
        return "!Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${AWS::StackName}-execution"
    return f"!Sub {resource}"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--add", type=Path, metavar="CALLS", help="a record of localaws to add to calls.txt")
    parser.add_argument("--write", action="store_true", help="write the policies into the template")
    arguments = parser.parse_args()
    if arguments.add:
        found = {line for line in read(CALLS) | read(arguments.add) if line.partition(" ")[0] in CALLERS}
        CALLS.write_text("".join(f"{line}\n" for line in sorted(found)))
    if arguments.write:
        TEMPLATE.write_text(written(TEMPLATE.read_text(), read(CALLS)))


if __name__ == "__main__":
    main()
