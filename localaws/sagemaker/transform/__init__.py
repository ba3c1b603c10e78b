"""
Batch transform: what happens in an instance of a transform job.

:mod:`.agent` is its process: it starts the model server, sends it the records of the input's objects
(:mod:`.records`) and writes what it answers, filtered and joined as DataProcessing asks
(:mod:`.processing`, :mod:`.jsonpath`).
"""
