"""Tags of SageMaker's resources."""
