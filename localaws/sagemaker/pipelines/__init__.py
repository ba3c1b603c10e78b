"""
SageMaker Pipelines: definitions of the schema 2020-12-01, and what executes them.

``definition`` reads a definition and ``validation`` refuses a wrong one; ``parameters``, ``references`` and ``values``
turn its expressions into the arguments of a step; ``kinds`` has what a step of each type does, and ``work`` what they
have in common; ``execution`` is an execution's state in the store, and ``machine`` moves it on.
"""
