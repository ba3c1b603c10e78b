"""The Resource Groups Tagging API, over the tags of SageMaker's resources."""
