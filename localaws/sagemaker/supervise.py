"""Run one job: ``python -m localaws.sagemaker.supervise FOLDER [LOCK]``."""

from __future__ import annotations

from localaws.sagemaker.jobs import supervisor
from localaws.sagemaker.processing.contract import Processing
from localaws.sagemaker.training.contract import Training
from localaws.sagemaker.transform.contract import Transform

CONTRACTS: supervisor.Contracts = {
    "training-job": Training,
    "processing-job": Processing,
    "transform-job": Transform,
}

if __name__ == "__main__":
    supervisor.main(CONTRACTS)
