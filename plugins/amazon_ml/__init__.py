"""Crash-safe Airflow operators for Amazon SageMaker: one task instance, one job, one result."""
