"""
The Amazon provider's own operators against localaws, sync and deferred, as DAG authors use them.

All connections but to this machine are refused meanwhile, and remembered: an operator that built a client of AWS
itself fails its test here, even if it swallowed the error.
"""

from __future__ import annotations

import io
import socket
import tarfile
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.providers.amazon.aws.hooks.sagemaker import LogState, SageMakerHook
from airflow.providers.amazon.aws.operators.athena import AthenaOperator
from airflow.providers.amazon.aws.operators.glue_crawler import (
    GlueCrawlerCreateOperator,
    GlueCrawlerDeleteOperator,
    GlueCrawlerRunOperator,
    GlueCrawlerUpdateOperator,
)
from airflow.providers.amazon.aws.operators.s3 import (
    S3CopyObjectOperator,
    S3CreateBucketOperator,
    S3CreateObjectOperator,
    S3DeleteBucketOperator,
    S3DeleteObjectsOperator,
    S3FileTransformOperator,
    S3ListOperator,
    S3ReadObjectOperator,
)
from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerDeleteModelOperator,
    SageMakerEndpointConfigOperator,
    SageMakerEndpointOperator,
    SageMakerModelOperator,
    SageMakerProcessingOperator,
    SageMakerTrainingOperator,
)
from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.providers.amazon.aws.sensors.sagemaker import SageMakerEndpointSensor, SageMakerTrainingSensor
from airflow.providers.common.compat.sdk import AirflowException
from botocore.exceptions import ClientError, HTTPClientError
from operator_kit import BUCKET, IMAGE, ROLE, SERVING_IMAGE, Airflow, FakeTask

both_ways = pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferred"])

REVIEWS = (
    'sentiment,review_body,product_category\n1,"So ""good"" it is, really",Dresses\n-1,bad,Knits\n1,לא רע 👗,Dresses\n'
)


@pytest.fixture(autouse=True)
def leaks(loopback_only: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names outside this machine that anything asked for; a test that leaves one here fails."""
    names: list[str] = []
    resolve = socket.getaddrinfo

    def remembering(host: Any, *arguments: Any, **named: Any) -> Any:
        try:
            return resolve(host, *arguments, **named)
        except AssertionError:
            names.append(host)
            raise

    monkeypatch.setattr(socket, "getaddrinfo", remembering)
    yield names
    assert names == []


@pytest.fixture
def name(aws: Any) -> str:
    """A name for what this test makes; localaws is there, and nothing else is to be reached."""
    return f"provider-{uuid.uuid4().hex[:8]}"


def run(airflow: Airflow, ti: FakeTask, operator: Callable[..., Any], **arguments: Any) -> Any:
    """A whole try of a provider operator, through its deferral if it defers; its result."""
    return airflow.run(lambda: operator(task_id=ti.task_id, **arguments), ti)


def packed(**files: str) -> bytes:
    """A tar.gz of Python files, named without ``.py``; ``__`` in a name stands for a slash."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path.replace("__", "/") + ".py")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive.getvalue()


class TestTheGuard:
    """The other tests prove something only if the guard bites, and remembers what a caller swallows."""

    def test_a_client_of_aws_itself_is_refused_and_remembered(
        self, airflow: Airflow, ti: FakeTask, name: str, leaks: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        with pytest.raises(HTTPClientError, match="a look-up of"):
            run(airflow, ti, S3ListOperator, bucket=name)
        assert leaks == [f"{name}.s3.amazonaws.com"]
        leaks.clear()


class TestS3:
    def test_objects_are_made_read_copied_listed_and_deleted(self, airflow: Airflow, ti: FakeTask, name: str) -> None:
        run(airflow, ti, S3CreateBucketOperator, bucket_name=name)
        run(airflow, ti, S3CreateObjectOperator, s3_bucket=name, s3_key="in/a b+ü.txt", data="hello")
        with pytest.raises(ValueError, match="already exists"):
            run(airflow, ti, S3CreateObjectOperator, s3_bucket=name, s3_key="in/a b+ü.txt", data="again")
        copy = {"source_bucket_name": name, "dest_bucket_name": name}
        run(airflow, ti, S3CopyObjectOperator, **copy, source_bucket_key="in/a b+ü.txt", dest_bucket_key="out/copy.txt")
        assert run(airflow, ti, S3ListOperator, bucket=name, prefix="out/") == ["out/copy.txt"]
        assert run(airflow, ti, S3ReadObjectOperator, s3_bucket=name, s3_key="out/copy.txt") == "hello"
        run(airflow, ti, S3DeleteObjectsOperator, bucket=name, prefix="in/")
        assert run(airflow, ti, S3ListOperator, bucket=name) == ["out/copy.txt"]
        run(airflow, ti, S3DeleteBucketOperator, bucket_name=name, force_delete=True)
        assert not S3Hook().check_for_bucket(name)

    def test_a_script_transforms_an_object(self, airflow: Airflow, ti: FakeTask, name: str, tmp_path: Any) -> None:
        script = tmp_path / "shout.sh"
        script.write_text('#!/bin/sh\ntr a-z A-Z < "$1" > "$2"\n')
        script.chmod(0o755)
        S3Hook().load_string("hello", f"{name}/in.txt", BUCKET)
        there = {"source_s3_key": f"s3://{BUCKET}/{name}/in.txt", "dest_s3_key": f"s3://{BUCKET}/{name}/out.txt"}
        run(airflow, ti, S3FileTransformOperator, **there, transform_script=str(script))
        assert S3Hook().read_key(f"{name}/out.txt", BUCKET) == "HELLO"

    @both_ways
    def test_the_sensor_finds_a_key(self, airflow: Airflow, ti: FakeTask, name: str, deferrable: bool) -> None:
        S3Hook().load_string("hello", f"{name}/deep/key.txt", BUCKET)
        arguments = {"bucket_name": BUCKET, "bucket_key": f"{name}/*/key.txt", "wildcard_match": True}
        run(airflow, ti, S3KeySensor, **arguments, poke_interval=1, timeout=60, deferrable=deferrable)


class TestGlueCrawlerAndAthena:
    @pytest.fixture
    def crawler(self, aws: Any, name: str) -> dict[str, Any]:
        """The request for a crawler over three reviews, with its database and classifier there."""
        aws("s3").put_object(Bucket=BUCKET, Key=f"{name}/reviews/reviews.csv", Body=REVIEWS.encode())
        aws("glue").create_database(DatabaseInput={"Name": name})
        csv = {"Delimiter": ",", "QuoteSymbol": '"', "ContainsHeader": "PRESENT", "Serde": "OpenCSVSerDe"}
        aws("glue").create_classifier(CsvClassifier={"Name": name, **csv})
        return {
            "Name": name,
            "Role": ROLE,
            "DatabaseName": name,
            "Targets": {"S3Targets": [{"Path": f"s3://{BUCKET}/{name}/reviews/"}]},
            "Classifiers": [name],
            "Tags": {"team": "reviews", "stage": "one"},
        }

    @both_ways
    def test_a_crawler_is_made_changed_run_and_its_table_queried(
        self, aws: Any, airflow: Airflow, ti: FakeTask, name: str, crawler: dict[str, Any], deferrable: bool
    ) -> None:
        assert run(airflow, ti, GlueCrawlerCreateOperator, config=dict(crawler)) == name
        changed = {**crawler, "TablePrefix": "raw_", "Tags": {"team": "reviews", "stage": "two"}}
        run(airflow, ti, GlueCrawlerUpdateOperator, config=dict(changed))
        assert aws("glue").get_crawler(Name=name)["Crawler"]["TablePrefix"] == "raw_"
        tags = aws("glue").get_tags(ResourceArn=f"arn:aws:glue:us-east-1:123456789012:crawler/{name}")["Tags"]
        # The hook compares with what is there, key by key.
        assert tags == {"team": "reviews", "stage": "two"}
        ran = run(airflow, ti, GlueCrawlerRunOperator, crawler_name=name, poll_interval=1, deferrable=deferrable)
        assert ran == name
        (table,) = aws("glue").get_tables(DatabaseName=name)["TableList"]
        assert table["Name"] == "raw_reviews"

        query = run(
            airflow,
            ti,
            AthenaOperator,
            query="SELECT product_category, COUNT(*) AS n, SUM(CAST(sentiment AS INTEGER)) AS s, MIN(review_body) AS r"
            " FROM raw_reviews GROUP BY product_category ORDER BY n DESC",
            database=name,
            output_location=f"s3://{BUCKET}/{name}/answers/",
            sleep_time=1,
            deferrable=deferrable,
        )
        rows = aws("athena").get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        assert [[cell["VarCharValue"] for cell in row["Data"]] for row in rows] == [
            ["product_category", "n", "s", "r"],
            ["Dresses", "2", "2", 'So "good" it is, really'],
            ["Knits", "1", "-1", "bad"],
        ]
        assert len(airflow.deferrals) == (2 if deferrable else 0)
        answer = S3Hook().read_key(f"{name}/answers/{query}.csv", BUCKET)
        assert answer.splitlines()[1:] == ['"Dresses","2","2","So ""good"" it is, really"', '"Knits","1","-1","bad"']
        run(airflow, ti, GlueCrawlerDeleteOperator, crawler_name=name)
        with pytest.raises(aws("glue").exceptions.EntityNotFoundException):
            aws("glue").get_crawler(Name=name)

    @both_ways
    def test_a_bad_query_fails_the_task_and_says_why(
        self, airflow: Airflow, ti: FakeTask, name: str, crawler: dict[str, Any], deferrable: bool
    ) -> None:
        with pytest.raises(AirflowException, match=r"TABLE_NOT_FOUND|does not exist|FAILED"):
            run(
                airflow,
                ti,
                AthenaOperator,
                query="SELECT * FROM nowhere",
                database=name,
                output_location=f"s3://{BUCKET}/{name}/answers/",
                sleep_time=1,
                deferrable=deferrable,
            )

    def test_a_token_makes_a_retry_find_the_same_query(
        self, airflow: Airflow, ti: FakeTask, name: str, crawler: dict[str, Any]
    ) -> None:
        query = {
            "query": "SELECT 1",
            "database": name,
            "output_location": f"s3://{BUCKET}/{name}/answers/",
            "client_request_token": f"{name}-token-of-at-least-32-characters",
            "sleep_time": 1,
        }
        assert run(airflow, ti, AthenaOperator, **query) == run(airflow, ti.next_try(), AthenaOperator, **query)

    def test_a_crawler_that_runs_already_is_waited_for_where_told(
        self, aws: Any, airflow: Airflow, ti: FakeTask, name: str, crawler: dict[str, Any]
    ) -> None:
        for number in range(100):
            aws("s3").put_object(Bucket=BUCKET, Key=f"{name}/reviews/{number}.csv", Body=REVIEWS.encode())
        run(airflow, ti, GlueCrawlerCreateOperator, config=dict(crawler))
        common = {"task_id": ti.task_id, "crawler_name": name, "poll_interval": 1}
        failing = GlueCrawlerRunOperator(**common)
        tolerant = GlueCrawlerRunOperator(**common, fail_on_already_running=False)
        for operator in (failing, tolerant):
            # Making a client takes longer than the crawl may.
            assert operator.hook.glue_client
        aws("glue").start_crawler(Name=name)
        with pytest.raises(ClientError, match="has already started"):
            airflow.run(lambda: failing, ti)
        assert airflow.run(lambda: tolerant, ti) == name
        assert len(aws("glue").list_crawls(CrawlerName=name)["Crawls"]) == 1

    def test_an_unknown_crawler_fails_the_task(self, airflow: Airflow, ti: FakeTask, name: str) -> None:
        with pytest.raises(ClientError, match="does not exist"):
            run(airflow, ti, GlueCrawlerRunOperator, crawler_name=name)


#: An entry point's argument is one line of 256 characters at most.
COUNT = (
    "from pathlib import Path as P; o = '/opt/ml/processing/';"
    " n = len(P(o + 'input/reviews/reviews.csv').read_text().splitlines()) - 1;"
    " P(o + 'output/report/report.json').write_text('{\"rows\": %d}' % n)"
)


class TestProcessing:
    def config(self, name: str, script: str) -> dict[str, Any]:
        S3Hook().load_string(REVIEWS, f"{name}/in/reviews.csv", BUCKET, replace=True)
        there = {"S3DataType": "S3Prefix", "S3InputMode": "File", "LocalPath": "/opt/ml/processing/input/reviews"}
        back = {"LocalPath": "/opt/ml/processing/output/report", "S3UploadMode": "EndOfJob"}
        return {
            "ProcessingJobName": name,
            "RoleArn": ROLE,
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-c", script]},
            # Jinja renders numbers as text; the operator makes numbers of them.
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": "1", "InstanceType": "ml.m5.large", "VolumeSizeInGB": "10"}
            },
            "ProcessingInputs": [{"InputName": "reviews", "S3Input": {"S3Uri": f"s3://{BUCKET}/{name}/in/", **there}}],
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "report", "S3Output": {"S3Uri": f"s3://{BUCKET}/{name}/out/", **back}}]
            },
        }

    @both_ways
    def test_a_job_runs_and_its_report_comes_back(
        self, airflow: Airflow, ti: FakeTask, name: str, deferrable: bool
    ) -> None:
        # output_files_to_xcom builds a client of its own: with the endpoint in the connection alone it would ask AWS.
        wanted = [{"output_name": "report", "file_name": "report.json", "result_name": "Report"}]
        result = run(
            airflow,
            ti,
            SageMakerProcessingOperator,
            config=self.config(name, COUNT),
            check_interval=1,
            deferrable=deferrable,
            output_files_to_xcom=wanted,
        )
        assert result["Processing"]["ProcessingJobStatus"] == "Completed"
        assert result["OutputFiles"] == {"Report": {"rows": 3}}

    @both_ways
    def test_a_script_that_fails_fails_the_task(
        self, airflow: Airflow, ti: FakeTask, name: str, deferrable: bool
    ) -> None:
        config = self.config(name, "raise SystemExit('no rows at all')")
        with pytest.raises(AirflowException, match=r"Failed|failed"):
            run(airflow, ti, SageMakerProcessingOperator, config=config, check_interval=1, deferrable=deferrable)

    def test_a_second_job_of_the_name_gets_another_or_fails(self, airflow: Airflow, ti: FakeTask, name: str) -> None:
        def again(action: str) -> Any:
            config = self.config(name, COUNT)
            return run(
                airflow,
                ti,
                SageMakerProcessingOperator,
                config=config,
                check_interval=1,
                action_if_job_exists=action,
            )

        assert again("fail")["Processing"]["ProcessingJobName"] == name
        with pytest.raises(AirflowException, match="already exists"):
            again("fail")
        assert again("timestamp")["Processing"]["ProcessingJobName"].startswith(f"{name}-")


TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
epochs = parser.parse_args().epochs
rows = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "reviews.csv").read_text().splitlines()[1:]
print("val_acc: 0.75")
pathlib.Path(os.environ["SM_MODEL_DIR"], "word.txt").write_text(f"{len(rows)} rows, {epochs} epochs")
"""

INFERENCE = """
import json, pathlib

def model_fn(folder):
    return pathlib.Path(folder, "word.txt").read_text() if pathlib.Path(folder, "word.txt").exists() else "no word"

def input_fn(body, content_type):
    return json.loads(body)

def predict_fn(data, word):
    return {"word": word, "data": data}

def output_fn(prediction, accept):
    return json.dumps(prediction)
"""


class TestTrainingAndServing:
    def training(self, name: str, script: str) -> dict[str, Any]:
        S3Hook().load_string(REVIEWS, f"{name}/train/reviews.csv", BUCKET, replace=True)
        S3Hook().load_bytes(packed(train=script), f"{name}/sourcedir.tar.gz", BUCKET, replace=True)
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/{name}/train/"}
        return {
            "TrainingJobName": name,
            "RoleArn": ROLE,
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "validation:accuracy", "Regex": "val_acc: ([0-9.]+)"}],
            },
            "HyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{BUCKET}/{name}/sourcedir.tar.gz",
                "epochs": "2",
            },
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/{name}/out/"},
            "ResourceConfig": {"InstanceCount": "1", "InstanceType": "ml.m5.large", "VolumeSizeInGB": "10"},
            "StoppingCondition": {"MaxRuntimeInSeconds": "300"},
        }

    @both_ways
    def test_a_training_job_runs_with_its_log_and_metrics(
        self,
        airflow: Airflow,
        ti: FakeTask,
        name: str,
        deferrable: bool,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        config = self.training(name, TRAIN)
        how = {"check_interval": 1, "deferrable": deferrable, "print_log": deferrable}
        result = run(airflow, ti, SageMakerTrainingOperator, config=config, **how)["Training"]
        assert result["TrainingJobStatus"] == "Completed"
        assert result["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/{name}/out/{name}/output/model.tar.gz"
        metrics = {metric["MetricName"]: metric["Value"] for metric in result["FinalMetricDataList"]}
        assert metrics == {"validation:accuracy": 0.75}
        # With print_log the waiting operator looks only every 30 s; this is how it reads the job's log.
        hook = SageMakerHook()
        description = hook.describe_training_job(name)
        capsys.readouterr()
        hook.describe_training_job_with_log(name, {}, [], 1, LogState.COMPLETE, description, 0)
        assert "val_acc: 0.75" in capsys.readouterr().out
        run(airflow, ti, SageMakerTrainingSensor, job_name=name, print_log=False, poke_interval=1)

    @both_ways
    def test_a_training_job_that_fails_fails_the_task(
        self, airflow: Airflow, ti: FakeTask, name: str, deferrable: bool
    ) -> None:
        config = self.training(name, "raise SystemExit('the loss is not a number')")
        with pytest.raises(AirflowException, match=r"Failed|failed"):
            run(
                airflow,
                ti,
                SageMakerTrainingOperator,
                config=config,
                check_interval=1,
                print_log=False,
                deferrable=deferrable,
            )
        reason = SageMakerHook().describe_training_job(name)["FailureReason"]
        assert "the loss is not a number" in reason

    @both_ways
    def test_a_model_is_deployed_updated_asked_and_taken_away(
        self, aws: Any, airflow: Airflow, ti: FakeTask, name: str, deferrable: bool
    ) -> None:
        S3Hook().load_bytes(packed(code__inference=INFERENCE), f"{name}/model.tar.gz", BUCKET)
        container = {"Image": SERVING_IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz"}
        model = {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container}
        made = run(airflow, ti, SageMakerModelOperator, config=model)
        assert made["Model"]["ModelName"] == name
        variant = {"VariantName": "A", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": "1"}
        for version in ("one", "two"):
            config = {"EndpointConfigName": f"{name}-{version}", "ProductionVariants": [dict(variant)]}
            run(airflow, ti, SageMakerEndpointConfigOperator, config=config)
        deployed = {"check_interval": 1, "deferrable": deferrable}
        for version, operation in (("one", "create"), ("two", "update")):
            config = {"EndpointName": name, "EndpointConfigName": f"{name}-{version}"}
            result = run(airflow, ti, SageMakerEndpointOperator, config=config, operation=operation, **deployed)
            assert result["Endpoint"]["EndpointStatus"] == "InService"
            assert result["EndpointConfig"]["EndpointConfigName"] == f"{name}-{version}"
        assert len(airflow.deferrals) == (2 if deferrable else 0)
        run(airflow, ti, SageMakerEndpointSensor, endpoint_name=name, poke_interval=1)
        answer = aws("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=b'{"a": 1}', ContentType="application/json"
        )
        assert answer["Body"].read() == b'{"word": "no word", "data": {"a": 1}}'
        aws("sagemaker").delete_endpoint(EndpointName=name)
        run(airflow, ti, SageMakerDeleteModelOperator, config={"ModelName": name})
        with pytest.raises(ClientError, match="Could not find model"):
            SageMakerHook().describe_model(name)

    def test_creating_an_endpoint_that_is_there_updates_it(
        self, aws: Any, airflow: Airflow, ti: FakeTask, name: str
    ) -> None:
        S3Hook().load_bytes(packed(code__inference=INFERENCE), f"{name}/model.tar.gz", BUCKET)
        container = {"Image": SERVING_IMAGE, "ModelDataUrl": f"s3://{BUCKET}/{name}/model.tar.gz"}
        variant = {"VariantName": "A", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}

        def everything(version: str) -> dict[str, Any]:
            called = f"{name}-{version}"
            return {
                "Model": {"ModelName": called, "ExecutionRoleArn": ROLE, "PrimaryContainer": container},
                "EndpointConfig": {
                    "EndpointConfigName": called,
                    "ProductionVariants": [{**variant, "ModelName": called}],
                },
                "Endpoint": {"EndpointName": name, "EndpointConfigName": called},
            }

        for version in ("one", "two"):
            # The operator goes by the words of the error: "Cannot create already existing endpoint".
            result = run(airflow, ti, SageMakerEndpointOperator, config=everything(version), check_interval=1)
            assert result["Endpoint"]["EndpointConfigName"] == f"{name}-{version}"
        aws("sagemaker").delete_endpoint(EndpointName=name)
