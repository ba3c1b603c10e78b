"""Runs the whole thing on one machine: localaws and Airflow in the background, and the demo that drives them."""
