"""The code of jobs in S3: the operator that brings it there for whoever else starts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from airflow.sdk import XComArg

from amazon_ml.operators.base import SageMakerOperator
from amazon_ml.operators.job import read_source, rendered
from amazon_ml.specs.job import JobSpec

if TYPE_CHECKING:
    from airflow.sdk import Context


class UploadCodeOperator(SageMakerOperator):
    """
    Bring the code of jobs to S3, under its content hash, as the job operators do: the same code is uploaded once.

    For a pipeline, whose jobs SageMaker starts: the definition takes the code's place as a parameter, and so a changed
    script is another value, not another definition.

    Returns name -> S3 URI: of a folder for processing jobs, of ``sourcedir.tar.gz`` for training jobs. Later tasks take
    ``task.uris[name]`` in templated fields, and depend on this task by it.

    :param jobs: name -> the job whose code it is.
    :raises RequestRefused: a folder or entry point is not there.
    """

    template_fields: Sequence[str] = SageMakerOperator.template_fields

    def __init__(self, *, jobs: Mapping[str, JobSpec], **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.jobs = dict(jobs)

    @property
    def uris(self) -> dict[str, XComArg]:
        """Name -> the S3 URI of its code, for later tasks."""
        return {name: XComArg(self, key=f"code_{name}") for name in self.jobs}

    def execute(self, context: Context) -> dict[str, str]:
        """Upload what is not there yet."""
        uris: dict[str, str] = {}
        for name, job in self.jobs.items():
            spec = rendered(self, job, context)
            source = read_source(spec)
            uploaded = self.hook.s3.put_missing(spec.bucket, spec.uploads(source))
            uris[name] = spec.code_uri(source)
            self.log.info("%s is at %s (%d objects uploaded)", name, uris[name], uploaded)
            context["ti"].xcom_push(key=f"code_{name}", value=uris[name])
        return uris
