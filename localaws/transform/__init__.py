"""
Batch transform: what happens in an instance of a transform job.

:mod:`localaws.transform.agent` is its process: it starts the model server, sends it the records of the input's objects
(:mod:`localaws.transform.records`) and writes what it answers, filtered and joined as DataProcessing asks
(:mod:`localaws.transform.processing`, :mod:`localaws.transform.jsonpath`).
"""
