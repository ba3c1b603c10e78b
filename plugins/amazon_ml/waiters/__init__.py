"""When a SageMaker job or endpoint is done, as data: botocore's waiter format, with the poll's pace and what to log."""
