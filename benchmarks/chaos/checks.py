"""What must not be after a run of the chain, whatever was killed meanwhile. See :mod:`benchmarks.chaos.__main__`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from amazon_ml.naming import job_name
from include.settings import Settings
from stack import health, processes
from stack.airflow_api import AirflowApi
from stack.layout import Stack
from stack.summary import INGEST, TRAIN, client

#: what a job's ARN has after its account -> the List operation, its member for the summaries, and the prefix of theirs.
JOBS = {
    "training-job": ("list_training_jobs", "TrainingJobSummaries", "TrainingJob"),
    "processing-job": ("list_processing_jobs", "ProcessingJobSummaries", "ProcessingJob"),
}
#: S3 prefixes under which nothing is ever written a second time: their keys have a job's or a run's name in them.
ONCE = ("jobs/", "athena/")
#: seconds that a process may take to notice that what it belonged to is gone.
ORPHAN_S = 90.0


def faults(
    stack: Stack, api: AirflowApi, ingest: str, train: str | None, killed_jobs: set[str], ledger: Ledger
) -> list[str]:
    """
    Return everything wrong after a run of the chain, in words; empty when all is well.

    :param train: the run that the ingest set off.
    :param killed_jobs: the names of those whose supervisor or script was killed.
    """
    if train is None:
        return [f"{INGEST} {ingest}: {failed_tasks(api, INGEST, ingest) or 'it set off no training'}"]
    found = [*failed_tasks(api, INGEST, ingest), *failed_tasks(api, TRAIN, train)]
    if found:
        return found
    set_off = [run for dag, run in api.triggered_by(INGEST, ingest) if dag == TRAIN]
    if set_off != [train]:
        found.append(f"{ingest} set off {set_off}")
    results = {
        (dag, run, task): value
        for dag, run in ((INGEST, ingest), (TRAIN, train))
        for task, value in xcoms(api, dag, run)
    }
    found += second_jobs(stack, results, killed_jobs)
    found += wrong_results(stack, {task: value for (_, _, task), value in results.items()})
    found += ledger.missing(reported(results))
    return [*found, *orphans(stack)]


def failed_tasks(api: AirflowApi, dag_id: str, run_id: str) -> list[str]:
    """Return the tasks that are not green, with the end of their logs; or the run, if that is not."""
    found = []
    for task in api.tasks(dag_id, run_id):
        if task["state"] not in ("success", "skipped"):
            log = api.log(dag_id, run_id, task)[-3000:] if task["try_number"] else ""
            found.append(f"{dag_id} {run_id} {task['task_id']} is {task['state']}, try {task['try_number']}:\n{log}")
    state = api.run(dag_id, run_id)["state"]
    return found or ([] if state == "success" else [f"{dag_id} {run_id} is {state}"])


def xcoms(api: AirflowApi, dag_id: str, run_id: str) -> Iterator[tuple[str, Any]]:
    """Yield each task that succeeded, and what it returned."""
    for task in api.tasks(dag_id, run_id):
        if task["state"] == "success":
            yield task["task_id"], api.xcom(dag_id, run_id, task["task_id"])


def second_jobs(stack: Stack, results: dict[tuple[str, str, str], Any], killed: set[str]) -> list[str]:
    """Return the tasks that have a job beside the one they reported and those that failed by a kill."""
    sagemaker = client(stack, "sagemaker")
    found = []
    for (dag_id, run_id, task_id), value in results.items():
        kind = job_kind(value)
        if kind is None:
            continue
        operation, member, prefix = JOBS[kind]
        first = job_name(dag_id, task_id, -1, run_id)
        listed = getattr(sagemaker, operation)(NameContains=first, MaxResults=100)[member]
        jobs = {job[f"{prefix}Name"]: job[f"{prefix}Status"] for job in listed}
        wanted = {name: "Failed" if name in killed and name != value["name"] else "Completed" for name in jobs}
        if jobs != wanted or list(wanted.values()).count("Completed") != 1 or value["name"] not in jobs:
            found.append(f"{dag_id} {run_id} {task_id} reported {value['name']}, and there are {jobs}")
    return found


def job_kind(value: Any) -> str | None:
    """ "training-job" or "processing-job" where a task's result is that of one."""
    arn = value.get("arn") if isinstance(value, dict) else None
    kind = str(arn).rpartition(":")[2].partition("/")[0]
    return kind if kind in JOBS else None


def wrong_results(stack: Stack, results: dict[str, Any]) -> list[str]:
    """Hold the model registry and the endpoint against what the run says of them."""
    sagemaker, settings = client(stack, "sagemaker"), Settings.read({})
    found = []
    if "train" in results:
        packages = versions(sagemaker, settings.model_group)
        mine = [arn for arn, package in packages.items() if model_data(package) == results["train"]["model_data"]]
        if mine != [results["register"]["arn"]]:
            found.append(f"{results['register']['arn']} was registered, and there are {mine}")
    if results.get("deploy") and results.get("register"):
        endpoint = sagemaker.describe_endpoint(EndpointName=settings.endpoint_name)
        state = endpoint["EndpointStatus"], endpoint["EndpointConfigName"]
        if state != ("InService", results["deploy"]["config"]):
            found.append(f"the endpoint is {state}, deployed was {results['deploy']['config']}")
        model = sagemaker.describe_model(ModelName=results["deploy"]["variants"][0]["model"])
        container = model.get("PrimaryContainer") or model["Containers"][0]
        if container["ModelPackageName"] != results["register"]["arn"]:
            found.append(f"the endpoint serves {container['ModelPackageName']}, not {results['register']['arn']}")
    return found


def versions(sagemaker: Any, group: str) -> dict[str, Any]:
    """Return the versions of a package group by their ARN."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    arns = [found["ModelPackageArn"] for page in pages for found in page["ModelPackageSummaryList"]]
    return {arn: sagemaker.describe_model_package(ModelPackageName=arn) for arn in arns}


def model_data(package: dict[str, Any]) -> str:
    """Return the S3 URI of a version's model."""
    return str(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def retire_champion(stack: Stack) -> None:
    """Reject every approved version, as a person might, so that the next model is deployed."""
    sagemaker = client(stack, "sagemaker")
    for arn, package in versions(sagemaker, Settings.read({}).model_group).items():
        if package["ModelApprovalStatus"] == "Approved":
            sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")


def reported(results: dict[tuple[str, str, str], Any]) -> list[str]:
    """Return the S3 URIs of outputs that the tasks reported."""
    uris: list[str] = []
    for value in results.values():
        if isinstance(value, dict):
            outputs = value.get("outputs")
            uris += outputs.values() if isinstance(outputs, dict) else []
            uris += [value[key] for key in ("uri", "model_data") if isinstance(value.get(key), str)]
    return uris


class Ledger:
    """The objects that S3 has had, by key, with their ETags: what was acknowledged stays."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._known: dict[str, str] = {}

    def missing(self, uris: list[str]) -> list[str]:
        """Return what is gone or another than before, and those of ``uris`` under which there is nothing."""
        listed = self._listed()
        lost = [
            f"s3://{key} is {listed.get(key, 'gone')}, was {tag}"
            for key, tag in self._known.items()
            if listed.get(key) != tag
        ]
        prefixes = ["{0.netloc}{0.path}".format(urlsplit(uri)) for uri in uris]
        lost += [
            f"s3://{prefix} was reported, and is not there"
            for prefix in prefixes
            if not any(key.startswith(prefix) for key in listed)
        ]
        self._known = {key: tag for key, tag in listed.items() if key.partition("/")[2].startswith(ONCE)}
        return lost

    def _listed(self) -> dict[str, str]:
        s3 = client(self._stack, "s3")
        found: dict[str, str] = {}
        for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                found |= {f"{bucket}/{item['Key']}": item["ETag"] for item in page.get("Contents", [])}
        return found


def supervisors(stack: Stack) -> dict[str, psutil.Process]:
    """Return the supervisors that run, by the names of their jobs."""
    folder = str(stack.home / "localaws" / "jobs")
    found = {}
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        if "localaws.sagemaker.supervise" in line:
            at = line.index("localaws.sagemaker.supervise") + 1
            if len(line) > at and line[at].startswith(folder):
                found[Path(line[at]).name] = process
    return found


def model_servers(stack: Stack) -> list[psutil.Process]:
    """Return the model servers that run; localaws has written down which processes these are."""
    found = []
    for path in (stack.home / "localaws").glob("endpoints/**/process.json"):
        try:
            saved = json.loads(path.read_text())
            process = psutil.Process(saved["pid"])
            if process.create_time() == saved["started"]:
                found.append(process)
        except (OSError, ValueError, psutil.NoSuchProcess):
            continue
    return found


def orphans(stack: Stack) -> list[str]:
    """Return the processes that no living part of the stack accounts for, after time to end by themselves."""
    deadline = time.monotonic() + ORPHAN_S
    while left := _unaccounted(stack):
        if time.monotonic() > deadline:
            return [f"left over: {line}" for line in left]
        time.sleep(1)
    return []


def _unaccounted(stack: Stack) -> list[str]:
    heads = [process for part in health.PARTS if (process := processes.find(stack, part))]
    heads += [*model_servers(stack), *supervisors(stack).values()]
    known = {head.pid for head in heads}
    left = []
    for process in processes.belonging(stack):
        try:
            if not known & {process.pid, *(parent.pid for parent in process.parents())}:
                left.append(f"{process.pid} {' '.join(process.cmdline())[:200]}")
        except psutil.NoSuchProcess:
            continue
    return left
