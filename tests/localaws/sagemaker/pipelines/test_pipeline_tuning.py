"""Tuning and Transform steps as a client of AWS sees them."""

from __future__ import annotations

from job_helpers import IMAGE, ROLE
from localaws_kit import LocalAws
from pipeline_kit import BUCKET, FOLDER, Pipelines, definition, get, join, parameter, training

#: the "model" is the rate that was tried: its inference code answers with it.
SCRIPT = """
import os, pathlib, sys
rate = sys.argv[sys.argv.index("--rate") + 1]
print(f"score: {rate};", flush=True)
code = pathlib.Path(os.environ["SM_MODEL_DIR"]) / "code"
code.mkdir()
(code / "inference.py").write_text(f'''
def model_fn(folder):
    return "{rate}"

def input_fn(body, content_type):
    return body

def predict_fn(text, model):
    return model

def output_fn(prediction, accept):
    return prediction
''')
"""
SERVING = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.1-cpu-py310"


def test_the_best_of_a_tuning_job_becomes_a_model_that_transforms_data(localaws: LocalAws) -> None:
    pipelines = Pipelines()
    arguments = training("Tune", pipelines.code(SCRIPT))["Arguments"]
    metric = {"Name": "score", "Regex": "score: ([0-9.]+);"}
    tune = {
        "Name": "Tune",
        "Type": "Tuning",
        "Arguments": {
            "HyperParameterTuningJobConfig": {
                "Strategy": "Grid",
                "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "score"},
                "ResourceLimits": {"MaxNumberOfTrainingJobs": 2, "MaxParallelTrainingJobs": 2},
                "ParameterRanges": {"CategoricalParameterRanges": [{"Name": "rate", "Values": ["1", "3"]}]},
            },
            "TrainingJobDefinition": {
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [metric],
                },
                "StaticHyperParameters": arguments["HyperParameters"],
                "RoleArn": ROLE,
                "OutputDataConfig": arguments["OutputDataConfig"],
                "ResourceConfig": arguments["ResourceConfig"],
                "StoppingCondition": arguments["StoppingCondition"],
            },
        },
    }
    best = join(
        FOLDER, "Tune", get("Steps.Tune.TrainingJobSummaries[0].TrainingJobName"), "output/model.tar.gz", on="/"
    )
    create = {
        "Name": "Create",
        "Type": "Model",
        "Arguments": {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": SERVING, "ModelDataUrl": best}},
    }
    transform = {
        "Name": "Apply",
        "Type": "Transform",
        "Arguments": {
            "ModelName": get("Steps.Create.ModelName"),
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": get("Parameters.Data")}},
                "ContentType": "text/csv",
            },
            "TransformOutput": {"S3OutputPath": join(FOLDER, "Apply", on="/")},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        },
    }
    data = pipelines.put("transform/a.csv", "x")
    experiment = {"ExperimentName": "tuned", "TrialName": get("Execution.PipelineExecutionId")}
    arn = pipelines.run(
        definition(
            *(tune, create, transform),
            parameters=[parameter("Data", "String", data)],
            PipelineExperimentConfig=experiment,
        )
    )
    assert pipelines.describe(arn)["PipelineExecutionStatus"] == "Succeeded", pipelines.steps(arn)
    steps = pipelines.steps(arn)
    assert list(steps) == ["Tune", "Create", "Apply"]
    identity = arn.rpartition("/")[2]
    tuning = steps["Tune"]["Metadata"]["TuningJob"]["Arn"].rpartition("/")[2]
    assert tuning.startswith(f"{identity}-tune-")
    assert ":transform-job/pipelines-" in steps["Apply"]["Metadata"]["TransformJob"]["Arn"]
    job = steps["Apply"]["Metadata"]["TransformJob"]["Arn"].rpartition("/")[2]
    assert pipelines.sagemaker.describe_transform_job(TransformJobName=job)["ExperimentConfig"] == {
        "ExperimentName": "tuned",
        "TrialName": identity,
    }
    made = pipelines.s3.get_object(Bucket=BUCKET, Key=f"{identity}/Apply/a.csv.out")["Body"].read()
    assert made.decode() == "3"
