"""SageMaker, resource by resource: the operations of each in its api.py."""
