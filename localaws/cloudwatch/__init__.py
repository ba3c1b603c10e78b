"""
CloudWatch alarms: metrics in, states out.

:mod:`localaws.cloudwatch.evaluation` judges data, :mod:`localaws.cloudwatch.engine` does so at each period and runs
actions, :mod:`localaws.cloudwatch.history` keeps what happened.
"""
