"""People label what the model is not sure of; `dags/human_review.py` puts the parts together."""
