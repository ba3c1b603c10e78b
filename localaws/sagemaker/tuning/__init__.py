"""
Hyperparameter tuning jobs: which training jobs a job starts, with which values, and what follows when one ends.

:mod:`.definition` checks a request; :mod:`.ranges` and, for the strategy Bayesian,
:mod:`.bayesian` choose the values; :mod:`.trials` starts the training jobs and keeps what
came of them; :mod:`.stopping` judges those that run; :mod:`.machine` moves the job on.
"""
