"""
Application Auto Scaling for SageMaker's endpoint variants, really scaling.

:mod:`localaws.autoscaling.capacity` reads and sets instance counts, :mod:`localaws.autoscaling.policies` computes what
a policy wants, :mod:`localaws.autoscaling.engine` acts on alarms and schedules, and
:mod:`localaws.autoscaling.activities` keeps what was done.
"""
