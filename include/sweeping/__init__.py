"""What is stopped and deleted, by whom it was made or because nobody needs it: the DAGs teardown and sweep_idle."""
