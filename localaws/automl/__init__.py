"""
AutoML jobs: which children a job has, and what follows when one ends.

:mod:`localaws.automl.definition` checks a request and keeps what both versions of the operation have in common,
:mod:`localaws.automl.children` makes the processing and training jobs, :mod:`localaws.automl.candidates` tells of
those what AWS tells, and :mod:`localaws.automl.machine` moves the job on.
"""
