"""The definitions of our SageMaker Pipelines, and what a run of one is given."""
