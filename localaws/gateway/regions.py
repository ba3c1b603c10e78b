"""
Which region's resources a client sees: those of the region that it asks for, and never another's under its name.

* IAM, STS and the names of S3's buckets are global. S3's clients follow its redirects to a bucket's region by
  themselves, so they are answered at once, wherever they think that the bucket is.
* Cognito, Logs, CloudWatch and Secrets Manager keep each region's resources apart, and serve every region; alarms there
  are in the server's region alone, so that other regions have none.
* SageMaker, Athena, Glue, Application Auto Scaling, SNS and the Resource Groups Tagging API work in the server's own
  region, and refuse clients of another.
"""

from __future__ import annotations

from functools import lru_cache

import botocore.session
from botocore.exceptions import UnknownRegionError

from localaws.gateway.auth.sigv4 import Proof, Refused

#: by signing name.
_EVERYWHERE = frozenset({"cognito-idp", "iam", "logs", "monitoring", "s3", "secretsmanager", "sts"})


def check(proof: Proof, served: str) -> None:
    """
    Compare the region in a signature's scope with the server's.

    :raises Refused: the service is not served in that region, or the region is not one of the server's partition.
    """
    asked = proof.region
    # Version 2 of S3's signatures has no region.
    if not asked or asked == served:
        return
    if proof.service in _EVERYWHERE and _partition(asked) == _partition(served):
        return
    if proof.service == "s3":
        raise Refused("wrong_region", f"the region '{asked}' is wrong; expecting '{served}'")
    raise Refused(
        "wrong_region",
        f"Credential should be scoped to a valid region, not '{asked}'. localaws serves {proof.service} in {served}:"
        " use that region, or start localaws with another AWS_DEFAULT_REGION.",
    )


@lru_cache(maxsize=256)
def _partition(region: str) -> str:
    try:
        return str(botocore.session.get_session().get_partition_for_region(region))
    except UnknownRegionError:
        return f"none, for {region}"
