"""
ML lineage and experiments: entities, the associations between them, and what SageMaker makes by itself.

The entities of jobs, packages and endpoints are written in the same transaction as the record that they follow from, so
that a killed server leaves both or none; those of a job that ended while nobody looked come with the next look, which
every operation that reads lineage takes first (:mod:`.looking`).
"""
