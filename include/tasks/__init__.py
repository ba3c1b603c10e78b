"""The tasks that several DAGs have, made by functions: one file for each kind."""
