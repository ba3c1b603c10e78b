"""AutoML jobs as a client of AWS sees them: their life, their children, the candidates, and the best one's endpoint."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import auto_ml_kit as kit
import nbformat
import pandas as pd
import pytest
from auto_ml_kit import AutoMl, rows, table
from botocore.exceptions import ClientError
from localaws_kit import LocalAws, start

PREDICTIONS = "predicted_label,probability"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """A localaws whose AutoML jobs have a tiny base model: the same code, without minutes of arithmetic."""
    folder = tmp_path_factory.mktemp("automl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(kit.BASE_MODEL, str(kit.tiny_bert(folder / "bert")))
        running = start(folder / "home")
        for key, value in running.environment.items():
            patch.setenv(key, value)
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture(scope="module")
def automl(server: LocalAws) -> AutoMl:
    """All jobs of these tests are started at once: together they take hardly longer than the longest of them."""
    automl = AutoMl()
    tags = [{"Key": "team", "Value": "reviews"}]
    automl.create("whole", table(rows(150)), criteria={"MaxCandidates": 3}, Tags=tags)
    binary = rows(60, labels={"no": "-1", "yes": "1"})
    automl.create_v2("texts", gzip.compress(table(binary).encode()), channel={"CompressionType": "Gzip"})
    automl.create("only-definitions", table(rows(30)), GenerateCandidateDefinitionsOnly=True)
    automl.create("no-target", table(rows(30)), target="sentimnt")
    automl.create("no-data", None)
    automl.create("too-long", table(rows(30)), criteria={"MaxAutoMLJobRuntimeInSeconds": 1})
    return automl


@pytest.fixture(scope="module")
def whole(automl: AutoMl) -> dict[str, Any]:
    """A job with all three candidates, that has completed."""
    job = automl.ended("whole", 300)
    assert job["AutoMLJobStatus"] == "Completed", job.get("FailureReason")
    return job


def test_a_job_goes_through_the_secondary_statuses_of_aws(whole: dict[str, Any]) -> None:
    working = ["AnalyzingData", "FeatureEngineering", "ModelTuning", "GeneratingExplainabilityReport"]
    order = ["Starting", *working, "Completed"]
    # The first one lasts for some milliseconds only.
    assert whole["seen"] in (order, order[1:])
    assert whole["CreationTime"] < whole["EndTime"] <= whole["LastModifiedTime"]


def test_problem_type_objective_and_criteria_are_resolved(automl: AutoMl, whole: dict[str, Any]) -> None:
    job = automl.sagemaker.describe_auto_ml_job(AutoMLJobName="whole")
    assert job["ResolvedAttributes"] == {
        "ProblemType": "MulticlassClassification",
        "AutoMLJobObjective": {"MetricName": "Accuracy"},
        "CompletionCriteria": {
            "MaxCandidates": 3,
            "MaxRuntimePerTrainingJobInSeconds": 86400,
            "MaxAutoMLJobRuntimeInSeconds": 2592000,
        },
    }
    assert job["InputDataConfig"][0]["TargetAttributeName"] == "sentiment"
    assert "PartialFailureReasons" not in job


def test_the_second_version_describes_a_job_of_the_first(whole: dict[str, Any]) -> None:
    assert whole["AutoMLProblemTypeConfigName"] == "Tabular"
    assert whole["AutoMLProblemTypeConfig"]["TabularJobConfig"]["TargetAttributeName"] == "sentiment"
    assert "TargetAttributeName" not in whole["AutoMLJobInputDataConfig"][0]
    resolved = whole["ResolvedAttributes"]["AutoMLProblemTypeResolvedAttributes"]
    assert resolved == {"TabularResolvedAttributes": {"ProblemType": "MulticlassClassification"}}


def test_children_are_ordinary_jobs_that_know_their_automl_job(automl: AutoMl, whole: dict[str, Any]) -> None:
    children = automl.children("whole")
    assert [name.removeprefix("whole-").rpartition("-")[0] for name in children["processing"]] == [
        "analysis",
        "features",
        "explanation",
    ]
    trained = [name.removeprefix("whole-").rpartition("-")[0] for name in children["training"]]
    assert trained == ["linear", "top-layers", "full"], "one after the other, the cheapest first"
    described = [automl.sagemaker.describe_processing_job(ProcessingJobName=name) for name in children["processing"]]
    described += [automl.sagemaker.describe_training_job(TrainingJobName=name) for name in children["training"]]
    assert {job["AutoMLJobArn"] for job in described} == {whole["AutoMLJobArn"]}
    ends = [job["TrainingEndTime"] for job in described[3:]]
    starts = [job["CreationTime"] for job in described[3:]]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False)), "never two at once"


def test_candidates_have_metrics_steps_and_containers(automl: AutoMl, whole: dict[str, Any]) -> None:
    candidates = automl.candidates("whole")
    assert len(candidates) == 3
    for candidate in candidates:
        assert candidate["CandidateStatus"] == "Completed"
        assert candidate["ObjectiveStatus"] == "Succeeded"
        assert [step["CandidateStepType"].rpartition("::")[2] for step in candidate["CandidateSteps"]] == [
            "ProcessingJob",
            "ProcessingJob",
            "TrainingJob",
        ]
        metrics = candidate["CandidateProperties"]["CandidateMetrics"]
        values = {metric["StandardMetricName"]: metric["Value"] for metric in metrics}
        assert set(values) == {
            "Accuracy",
            "BalancedAccuracy",
            "F1macro",
            "PrecisionMacro",
            "RecallMacro",
            "LogLoss",
        }
        assert candidate["FinalAutoMLJobObjectiveMetric"]["Value"] == values["Accuracy"]
        (container,) = candidate["InferenceContainers"]
        assert container["Environment"]["SAGEMAKER_INFERENCE_OUTPUT"] == "predicted_label"
        job = automl.sagemaker.describe_training_job(TrainingJobName=candidate["CandidateName"])
        final = {metric["MetricName"]: metric["Value"] for metric in job["FinalMetricDataList"]}
        assert final["validation:accuracy"] == pytest.approx(values["Accuracy"])
    best = max(candidates, key=lambda candidate: candidate["FinalAutoMLJobObjectiveMetric"]["Value"])
    assert whole["BestCandidate"]["CandidateName"] == best["CandidateName"]
    assert best["FinalAutoMLJobObjectiveMetric"]["Value"] > 0.8, "the classes of these texts can be learnt"


def test_the_best_candidate_is_explained_and_judged(automl: AutoMl, whole: dict[str, Any]) -> None:
    places = whole["BestCandidate"]["CandidateProperties"]["CandidateArtifactLocations"]
    name, base = whole["BestCandidate"]["CandidateName"], f"s3://{automl.bucket}/out/whole"
    assert places == {
        "Explainability": f"{base}/documentation/explainability/output/{name}",
        "ModelInsights": f"{base}/documentation/model_monitor/output/{name}",
    }
    found = json.loads(automl.get(f"{places['ModelInsights']}/statistics.json"))
    quality = found["multiclass_classification_metrics"]
    matrix = quality["confusion_matrix"]
    right, rows_ = sum(matrix[each][each] for each in matrix), sum(sum(row.values()) for row in matrix.values())
    assert rows_ == found["dataset"]["item_count"] == 30
    metrics = whole["BestCandidate"]["CandidateProperties"]["CandidateMetrics"]
    accuracy = next(each["Value"] for each in metrics if each["StandardMetricName"] == "Accuracy")
    assert quality["accuracy"]["value"] == pytest.approx(accuracy, abs=1e-5) == right / rows_
    analysis = json.loads(automl.get(f"{places['Explainability']}/analysis.json"))
    assert set(analysis["explanations"]["kernel_shap"]) == {"label0", "label1", "label2"}
    line = automl.get(f"{places['Explainability']}/explanations_shap/out.jsonl").splitlines()[0]
    (told,) = json.loads(line)["explanations"]
    assert told["feature_name"] == "review_body"
    assert all(len(each["attribution"]) == 3 for each in told["attributions"])
    for place in places.values():
        assert automl.get(f"{place}/report.html").startswith(b"<!doctype html>")
        assert automl.get(f"{place}/report.pdf").startswith(b"%PDF")


def test_what_aws_leaves_beside_the_models_is_there(automl: AutoMl, whole: dict[str, Any]) -> None:
    analysis, features, _ = automl.children("whole")["processing"]
    base = f"s3://{automl.bucket}/out/whole"
    processor = automl.get(f"{base}/data-processor-models/{features}/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(processor)) as archive:
        assert {"dataset.json", "tokenizer/tokenizer_config.json"} <= set(archive.getnames())
    checked = json.loads(automl.get(f"{base}/validations/{analysis}/validations.json"))
    assert checked["rows"] == 150
    components = automl.sagemaker.list_trial_components(ExperimentName="whole-aws-auto-ml-job", MaxResults=100)
    assert len(components["TrialComponentSummaries"]) == 6


def test_candidates_are_sorted_filtered_and_paged(automl: AutoMl, whole: dict[str, Any]) -> None:
    def values(**how: Any) -> list[float]:
        found = automl.candidates("whole", SortBy="FinalObjectiveMetricValue", **how)
        return [candidate["FinalAutoMLJobObjectiveMetric"]["Value"] for candidate in found]

    assert values() == values(SortOrder="Ascending") == sorted(values()), "the default that botocore's text names"
    assert values(SortOrder="Descending") == sorted(values(), reverse=True)
    times = [candidate["CreationTime"] for candidate in automl.candidates("whole", SortOrder="Ascending")]
    assert times == sorted(times)
    assert [candidate["CreationTime"] for candidate in automl.candidates("whole")] == times, "as botocore has it"
    name = whole["BestCandidate"]["CandidateName"]
    assert [found["CandidateName"] for found in automl.candidates("whole", CandidateNameEquals=name)] == [name]
    assert automl.candidates("whole", StatusEquals="Failed") == []
    pages = automl.sagemaker.get_paginator("list_candidates_for_auto_ml_job").paginate(
        AutoMLJobName="whole", PaginationConfig={"PageSize": 2}
    )
    sizes = [len(page["Candidates"]) for page in pages]
    assert sizes == [2, 1]


@pytest.mark.parametrize("which", ["DataExplorationNotebookLocation", "CandidateDefinitionNotebookLocation"])
def test_the_notebooks_open_and_run(automl: AutoMl, whole: dict[str, Any], which: str) -> None:
    notebook = nbformat.reads(automl.get(whole["AutoMLJobArtifacts"][which]).decode(), as_version=4)
    nbformat.validate(notebook)
    names: dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, which, "exec"), names)
    if which.startswith("Data"):
        assert names["shares"].loc["1", "train"] == pytest.approx(1 / 3)
        assert "Columns that are ignored: `product_category`" in nbformat.writes(notebook)
    else:
        assert names["board"]["candidate"].iloc[0] == whole["BestCandidate"]["CandidateName"]
        assert [request["HyperParameters"]["seed"] for request in names["requests"]] == ["7"] * 3


def test_the_best_candidate_is_deployed_and_answers_csv(automl: AutoMl, whole: dict[str, Any]) -> None:
    automl.deploy("best", whole["BestCandidate"], PREDICTIONS)
    reviews = [row["review_body"] for row in rows(6)]
    lines = automl.ask("best", "".join(f"{review}\n" for review in reviews)).splitlines()
    assert [line.split(",")[0] for line in lines] == ["-1", "0", "1"] * 2
    assert all(1 / 3 < float(line.split(",")[1]) <= 1 for line in lines)
    whole_row = automl.ask("best", f"-1,{reviews[0]},Dresses\n")
    without_target = automl.ask("best", f"{reviews[0]},Dresses\n")
    assert whole_row.splitlines() == without_target.splitlines() == lines[:1]
    assert len(automl.ask("best", '"a comma, a ""quote"" and\na line break"\n"another"\n').splitlines()) == 2
    answer = json.loads(automl.ask("best", json.dumps({"instances": reviews}), "application/json"))
    assert [entry["predicted_label"] for entry in answer["predictions"]] == ["-1", "0", "1"] * 2
    for wrong, content_type, status, words in (
        ('"a quote that does not end', "text/csv", 400, "not CSV"),
        ("a,b,c,d\n", "text/csv", 400, "row 1 has 4 fields"),
        ("", "text/csv", 400, "no row"),
        ('{"instances": [1]}', "application/json", 400, "instances"),
        ("love", "text/plain", 415, "text/plain is not supported"),
    ):
        with pytest.raises(ClientError, match=words) as caught:
            automl.ask("best", wrong or "\n", content_type)
        assert caught.value.response["OriginalStatusCode"] == status
    automl.sagemaker.delete_endpoint(EndpointName="best")


def test_a_job_of_the_second_version_classifies_texts(automl: AutoMl) -> None:
    job = automl.ended("texts")
    assert job["AutoMLJobStatus"] == "Completed", job.get("FailureReason")
    assert job["AutoMLProblemTypeConfigName"] == "TextClassification"
    assert job["ResolvedAttributes"]["AutoMLJobObjective"] == {"MetricName": "Accuracy"}
    best = job["BestCandidate"]
    assert best["InferenceContainerDefinitions"] == {"CPU": best["InferenceContainers"]}
    assert best["FinalAutoMLJobObjectiveMetric"]["Value"] > 0.8
    names = {metric["StandardMetricName"] for metric in best["CandidateProperties"]["CandidateMetrics"]}
    assert {"F1", "AUC", "Precision", "Recall"} <= names, "two classes have metrics of their own"
    assert len(automl.candidates("texts")) == 1, "MaxCandidates"
    with pytest.raises(ClientError, match="CreateAutoMLJobV2") as caught:
        automl.sagemaker.describe_auto_ml_job(AutoMLJobName="texts")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_definitions_alone_train_nothing(automl: AutoMl) -> None:
    job = automl.ended("only-definitions")
    assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Completed", "CandidateDefinitionsGenerated")
    assert automl.get(job["AutoMLJobArtifacts"]["CandidateDefinitionNotebookLocation"])
    assert automl.candidates("only-definitions") == []
    assert automl.children("only-definitions")["training"] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-target", ["'sentimnt'", "sentiment, review_body, product_category"]),
        ("no-data", ["No S3 objects found", "/nothing"]),
        ("too-long", ["MaxAutoMLJobRuntimeInSeconds, 1"]),
    ],
)
def test_a_job_that_cannot_be_done_fails_and_says_why(automl: AutoMl, name: str, words: list[str]) -> None:
    job = automl.ended(name)
    assert job["AutoMLJobStatus"] == "Failed"
    assert all(word in job["FailureReason"] for word in words), job["FailureReason"]
    assert automl.candidates(name) == []


def test_a_validation_channel_parquet_and_a_manifest(automl: AutoMl) -> None:
    def parquet(key: str, records: list[dict[str, str]]) -> str:
        body = io.BytesIO()
        frame = pd.DataFrame(records)
        frame["sentiment"] = frame["sentiment"].astype(int)
        frame.to_parquet(body)
        return automl.put(key, body.getvalue())

    parquet("parts/a.parquet", rows(30))
    parquet("parts/b.parquet", rows(30, seed=2))
    manifest = [{"prefix": f"s3://{automl.bucket}/parts/"}, "a.parquet", "b.parquet"]
    uri = automl.put("parts.manifest", json.dumps(manifest))
    kind = {"ContentType": "x-application/vnd.amazon+parquet", "TargetAttributeName": "sentiment"}
    sources = [("training", "ManifestFile", uri), ("validation", "S3Prefix", parquet("held/c.parquet", rows(18)))]
    channels = [
        {**kind, "ChannelType": channel, "DataSource": {"S3DataSource": {"S3DataType": data, "S3Uri": where}}}
        for channel, data, where in sources
    ]
    request = automl.request("channels", None, GenerateCandidateDefinitionsOnly=True)
    automl.sagemaker.create_auto_ml_job(**{**request, "InputDataConfig": channels})
    job = automl.ended("channels")
    assert job["AutoMLJobStatus"] == "Completed", job.get("FailureReason")
    analysis = json.loads(automl.get(f"s3://{automl.bucket}/out/channels/analysis/analysis.json"))
    assert (analysis["training_rows"], analysis["validation_rows"]) == (60, 18)
    assert [entry["label"] for entry in analysis["classes"]] == ["-1", "0", "1"]


def test_a_stopped_job_stops_its_child_and_starts_no_other(automl: AutoMl) -> None:
    automl.create("stopped", table(rows(60)), criteria={"MaxCandidates": 3})
    automl.until("stopped", lambda job: automl.children("stopped")["training"])
    automl.sagemaker.stop_auto_ml_job(AutoMLJobName="stopped")
    stopping = automl.describe("stopped")
    assert stopping["AutoMLJobStatus"] in ("Stopping", "Stopped")
    job = automl.ended("stopped")
    assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Stopped", "Stopped")
    (child,) = automl.children("stopped")["training"]
    assert automl.sagemaker.describe_training_job(TrainingJobName=child)["TrainingJobStatus"] == "Stopped"
    (candidate,) = automl.candidates("stopped")
    assert (candidate["CandidateStatus"], candidate["ObjectiveStatus"]) == ("Stopped", "Failed")
    with pytest.raises(ClientError, match="already reached a terminal state: Stopped"):
        automl.sagemaker.stop_auto_ml_job(AutoMLJobName="stopped")


def test_names_are_unique_jobs_are_listed_and_tags_kept(automl: AutoMl, whole: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="already exists") as caught:
        automl.create("whole", table(rows(30)))
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"
    listed = automl.sagemaker.list_auto_ml_jobs(NameContains="who", StatusEquals="Completed")["AutoMLJobSummaries"]
    assert [job["AutoMLJobName"] for job in listed] == ["whole"]
    assert listed[0]["AutoMLJobSecondaryStatus"] == "Completed"
    tags = automl.sagemaker.list_tags(ResourceArn=whole["AutoMLJobArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "reviews"}]


@pytest.mark.parametrize(
    "operation",
    ["describe_auto_ml_job", "describe_auto_ml_job_v2", "stop_auto_ml_job", "list_candidates_for_auto_ml_job"],
)
def test_an_unknown_job_is_a_resource_not_found(automl: AutoMl, operation: str) -> None:
    with pytest.raises(ClientError, match="automl-job/nobody") as caught:
        getattr(automl.sagemaker, operation)(AutoMLJobName="nobody")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"
