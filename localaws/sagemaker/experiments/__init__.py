"""Experiments, trials and their components."""
