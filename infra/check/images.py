"""The container images of the region: which they are, and whether the registries have them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial

from include.regions import VARIABLES, image_uri
from infra.check.account import Account
from infra.check.findings import Finding, code_of, guarded, missing, ok, unknown

_ECR = re.compile(r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[^.]+)\.[^/]+/(?P<repository>[^:@]+):(?P<tag>.+)")


def check(account: Account) -> Iterator[Finding]:
    """Yield whether each image has a URI in this region, and whether it is there."""
    for image in VARIABLES:
        try:
            uri = image_uri(image, account.region, os.environ)
        except ValueError as error:
            yield missing(f"image {image}", str(error), "")
            continue
        yield from guarded(f"image {image} ({uri})", partial(_found, account, image, uri))


def _found(account: Account, image: str, uri: str) -> Iterator[Finding]:
    what = f"image {image}"
    parts = _ECR.fullmatch(uri)
    if not parts:
        yield unknown(what, f"{uri} is not in ECR")
        return
    if parts["region"] != account.region:
        remedy = f"Set {VARIABLES[image]} to one of this region"
        yield missing(what, f"{uri} is of another region, and SageMaker takes images of {account.region}", remedy)
        return
    yield _in_registry(account, what, uri, parts)


def _in_registry(account: Account, what: str, uri: str, parts: re.Match[str]) -> Finding:
    from botocore.exceptions import ClientError

    try:
        answer = account.client("ecr").batch_get_image(
            registryId=parts["registry"],
            repositoryName=parts["repository"],
            imageIds=[{"imageTag": parts["tag"]}],
        )
    except ClientError as error:
        if code_of(error) == "RepositoryNotFoundException":
            return missing(what, f"there is no repository {parts['repository']} for {uri}", _set(what))
        raise
    if not answer.get("images"):
        return missing(what, f"the registry has no {uri}", _set(what))
    return ok(what, uri)


def _set(what: str) -> str:
    return f"Set {VARIABLES[what.removeprefix('image ')]} to one that is there"
