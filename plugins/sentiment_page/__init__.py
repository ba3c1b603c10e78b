"""The page "Sentiment" in Airflow's navigation: what the DAGs have made, read from AWS's APIs alone."""
