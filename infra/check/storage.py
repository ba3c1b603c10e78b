"""The bucket, the Glue database and the Athena work group."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.check.account import Account
from infra.check.findings import Finding, code_of, guarded, is_denied, missing, ok

_DEPLOY = "Deploy infra/template.yaml, or make it"
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def check_bucket(account: Account, settings: Any) -> Iterator[Finding]:
    """Yield whether the bucket is there, this account's and in this region, closed to the public, and encrypted."""
    from botocore.exceptions import ClientError

    name, s3 = settings.bucket, account.client("s3")
    try:
        found = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account.number)
    except ClientError as error:
        yield _no_bucket(account, name, error)
        return
    yield ok("bucket", f"{name} is of account {account.number}")
    region = found.get("BucketRegion") or _location(s3, name)
    if region == account.region:
        yield ok("region of the bucket", region)
    else:
        remedy = f"Set AWS_DEFAULT_REGION={region}, or REVIEWS_BUCKET to a bucket in {account.region}"
        yield missing("region of the bucket", f"{name} is in {region}, and the DAGs work in {account.region}", remedy)
    yield from guarded("public access of the bucket", lambda: _closed(s3, name, account.number))
    yield from guarded("encryption of the bucket", lambda: _encrypted(s3, name, account.number))


def _no_bucket(account: Account, name: str, error: Any) -> Finding:
    """Return why the bucket cannot be used. HEAD has no body, so the code is that of HTTP."""
    from botocore.exceptions import ClientError

    code = code_of(error)
    if code in {"404", "NoSuchBucket"}:
        detail = f"there is no {name}"
        return missing("bucket", detail, f"{_DEPLOY}; ingest_reviews makes a plain one")
    if code in {"301", "PermanentRedirect"}:
        region = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region", "another region")
        remedy = f"Set AWS_DEFAULT_REGION={region}, or REVIEWS_BUCKET to a bucket in {account.region}"
        return missing("bucket", f"{name} is in {region}, and the DAGs work in {account.region}", remedy)
    if not is_denied(error):
        raise error
    remedy = "Set REVIEWS_BUCKET to one of your own"
    try:
        account.client("s3").head_bucket(Bucket=name)
    except ClientError as second:
        if not is_denied(second):
            raise
        detail = f"{name} is another account's, or the caller may not s3:ListBucket on it"
        return missing("bucket", detail, f"{remedy}, or allow the caller s3:ListBucket")
    return missing("bucket", f"{name} is not of account {account.number}, but of another one", remedy)


def _location(s3: Any, name: str) -> str:
    return s3.get_bucket_location(Bucket=name).get("LocationConstraint") or "us-east-1"


def _closed(s3: Any, name: str, owner: str) -> Iterator[Finding]:
    from botocore.exceptions import ClientError

    what = "public access of the bucket"
    try:
        found = s3.get_public_access_block(Bucket=name, ExpectedBucketOwner=owner)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if code_of(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        found = {}
    open_ = [block for block in _BLOCKS if not found.get(block)]
    if open_:
        yield missing(what, f"it is not blocked: {', '.join(open_)}", "Block it, as infra/template.yaml does")
    else:
        yield ok(what, "it is blocked")


def _encrypted(s3: Any, name: str, owner: str) -> Iterator[Finding]:
    from botocore.exceptions import ClientError

    what = "encryption of the bucket"
    try:
        rules = s3.get_bucket_encryption(Bucket=name, ExpectedBucketOwner=owner)["ServerSideEncryptionConfiguration"]
    except ClientError as error:
        if code_of(error) != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        yield missing(what, "there is none by default", "Set SSE-S3, as infra/template.yaml does")
        return
    yield ok(what, rules["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"])


def check_database(account: Account, settings: Any) -> Iterator[Finding]:
    """Yield whether the Glue database is there; ingest_reviews makes it where it is not."""
    from botocore.exceptions import ClientError

    try:
        account.client("glue").get_database(Name=settings.database)
    except ClientError as error:
        if code_of(error) != "EntityNotFoundException":
            raise
        yield ok("Glue database", f"there is no {settings.database} yet, and ingest_reviews makes it")
        return
    yield ok("Glue database", settings.database)


def check_work_group(account: Account, settings: Any) -> Iterator[Finding]:
    """Yield whether the Athena work group is there and takes queries."""
    from botocore.exceptions import ClientError

    what, name = "Athena work group", settings.work_group
    try:
        found = account.client("athena").get_work_group(WorkGroup=name)["WorkGroup"]
    except ClientError as error:
        if code_of(error) != "InvalidRequestException":
            raise
        yield missing(what, f"there is no {name}", "Set REVIEWS_WORK_GROUP to one that is there, such as primary")
        return
    if found.get("State") == "DISABLED":
        yield missing(what, f"{name} is disabled", "Enable it, or set REVIEWS_WORK_GROUP to another one")
        return
    limit = found.get("Configuration", {}).get("BytesScannedCutoffPerQuery")
    yield ok(what, f"{name}, {f'{limit / 1e9:.1f} GB a query at most' if limit else 'without a limit for a query'}")
