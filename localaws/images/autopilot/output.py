"""What a candidate's model server can answer, and the variables that say so: AWS's own names."""

from __future__ import annotations

OUTPUT = "SAGEMAKER_INFERENCE_OUTPUT"
SUPPORTED_VARIABLE = "SAGEMAKER_INFERENCE_SUPPORTED"
SUPPORTED = ("predicted_label", "probability", "probabilities", "labels")


def environment() -> dict[str, str]:
    """Return the environment of a candidate's container; :data:`OUTPUT` may be changed before CreateModel."""
    return {OUTPUT: SUPPORTED[0], SUPPORTED_VARIABLE: ",".join(SUPPORTED)}
