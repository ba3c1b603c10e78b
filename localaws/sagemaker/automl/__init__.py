"""
AutoML jobs: which children a job has, and what follows when one ends.

:mod:`.definition` checks a request and keeps what both versions of the operation have in common,
:mod:`.children` makes the processing and training jobs, :mod:`.candidates` tells of
those what AWS tells, and :mod:`.machine` moves the job on.
"""
