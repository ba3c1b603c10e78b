"""How long parsing each DAG file takes, ``from airflow`` and the provider's modules aside."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CODE = """
import json, os, sys, time, warnings
warnings.simplefilter("ignore")
import airflow.sdk
import airflow.providers.amazon.aws.operators.s3, airflow.providers.amazon.aws.operators.athena
import airflow.providers.amazon.aws.operators.glue_crawler, airflow.providers.amazon.aws.operators.sagemaker
import runpy
times = {}
for path in sys.argv[1:]:
    began = time.perf_counter()
    runpy.run_path(path)
    times[os.path.basename(path)] = time.perf_counter() - began
print(json.dumps(times))
"""


def main() -> None:
    files = sorted(str(path) for path in (ROOT / "dags").glob("*.py"))
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
        runs = []
        for _ in range(5):
            answer = subprocess.run(
                [sys.executable, "-c", CODE, *files], env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            runs.append(json.loads(answer.stdout.splitlines()[-1]))
    print("# Parsing the DAG files\n")
    print("Median of 5 fresh processes, the imports of Airflow and of its provider aside. Goal: all under 0.5 s.\n")
    print("| file | seconds |\n|---|---:|")
    for name in runs[0]:
        print(f"| {name} | {statistics.median(run[name] for run in runs):.3f} |")
    print(f"| **all** | **{statistics.median(sum(run.values()) for run in runs):.3f}** |")


if __name__ == "__main__":
    main()
