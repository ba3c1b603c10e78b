"""
Hyperparameter tuning jobs: which training jobs a job starts, with which values, and what follows when one ends.

:mod:`localaws.tuning.definition` checks a request; :mod:`localaws.tuning.ranges` and, for the strategy Bayesian,
:mod:`localaws.tuning.bayesian` choose the values; :mod:`localaws.tuning.trials` starts the training jobs and keeps what
came of them; :mod:`localaws.tuning.stopping` judges those that run; :mod:`localaws.tuning.machine` moves the job on.
"""
