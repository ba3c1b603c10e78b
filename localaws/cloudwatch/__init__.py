"""
CloudWatch alarms: metrics in, states out.

:mod:`.evaluation` judges data, :mod:`.engine` does so at each period and runs
actions, :mod:`.history` keeps what happened.
"""
