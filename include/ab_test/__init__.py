"""The A/B test of two approved versions; `dags/ab_test.py` puts its parts together."""
