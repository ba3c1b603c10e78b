"""
What the image ``sagemaker-clarify-processing`` does here: bias in a data set before any training.

The metrics are computed by AWS's own open-source library, smclarify; input, output and configuration are those of the
container. What it also does with a trained model (post-training bias, SHAP, PDP) is refused by name.
"""
