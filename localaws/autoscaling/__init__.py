"""
Application Auto Scaling for SageMaker's endpoint variants, really scaling.

:mod:`.capacity` reads and sets instance counts, :mod:`.policies` computes what
a policy wants, :mod:`.engine` acts on alarms and schedules, and
:mod:`.activities` keeps what was done.
"""
