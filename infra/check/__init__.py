"""
Whether an AWS account has what the DAGs need. It asks, and creates nothing.

    python -m infra.check

A line for each check: ok, missing, or could not be checked; with a remedy where it is not ok. It exits with 1 where
something is missing.
"""
