"""Bringing a model from S3 to where its containers find it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.core import archive
from localaws.core.context import Context
from localaws.sagemaker.endpoints.plan import VariantPlan
from localaws.sagemaker.jobs import sandbox
from localaws.sagemaker.jobs.staging import split_uri

#: files at least this large are shared by the instances of a variant, as links: memory holds them once as well.
_SHARED_BYTES = 1 << 20


class StagingError(Exception):
    """The model cannot be had; the message is for FailureReason."""


def stage(ctx: Context, plan: VariantPlan, folder: Path) -> Path:
    """
    Download and unpack a variant's model, and its code where that is apart, once.

    :param folder: the variant's folder; the result is its ``staged/``, which holds ``model/`` and maybe ``code/``.
    :raises StagingError: the model cannot be fetched or unpacked.
    """
    staged = folder / "staged"
    if staged.exists():
        return staged
    building = folder / "staged.part"
    shutil.rmtree(building, ignore_errors=True)
    (building / "model").mkdir(parents=True)
    try:
        if plan.model_data:
            _fetch(ctx, plan.model_data, building / "model")
        submitted = plan.environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
        if submitted.startswith("s3://"):
            _fetch(ctx, submitted, building / "code")
    except (ClientError, OSError) as error:
        # OSError: a key that is also another one's folder, a name that is too long, a full disk.
        uri = plan.model_data or submitted
        raise StagingError(f"Failed to download model data from {uri}: {error}") from error
    except archive.ArchiveError as error:
        raise StagingError(f"Failed to extract model data archive: {error}") from error
    building.rename(staged)
    return staged


def _fetch(ctx: Context, uri: str, into: Path) -> None:
    bucket, key = split_uri(uri)
    client = ctx.client("s3")
    if key.endswith("/") or not key:
        _fetch_folder(client, bucket, key, into)
        return
    download = into.with_name(into.name + ".tar.gz")
    client.download_file(bucket, key, str(download))
    archive.extract(download, into)
    download.unlink()


def _fetch_folder(client: Any, bucket: str, prefix: str, into: Path) -> None:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            name = item["Key"].removeprefix(prefix)
            if not name or name.endswith("/"):
                continue
            target = into / name
            if not target.resolve().is_relative_to(into.resolve()):
                raise StagingError(f"The key {item['Key']!r} would be written outside of the model's folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, item["Key"], str(target))


def instance_root(staged: Path, folder: Path) -> Path:
    """
    Return one instance's own ``/opt/ml``, made from what was staged.

    :param folder: the instance's folder; the result is its ``ml/``.
    """
    root = folder / "ml"
    if not root.exists():
        building = folder / "ml.part"
        shutil.rmtree(building, ignore_errors=True)
        shutil.copytree(staged, building, symlinks=True, copy_function=_copy)
        for code in (building / "code", building / "model" / "code"):
            sandbox.rewrite_sources(code, root)
        building.rename(root)
    return root


def _copy(source: str, target: str) -> str:
    if not os.path.islink(source) and os.path.getsize(source) >= _SHARED_BYTES:  # noqa: PTH114, PTH202
        os.link(source, target)
    else:
        shutil.copy2(source, target, follow_symlinks=False)
    return target
