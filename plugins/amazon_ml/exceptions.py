"""How a task of amazon_ml fails."""

from __future__ import annotations

from airflow.sdk.exceptions import AirflowException, AirflowFailException


class JobFailed(AirflowException):
    """The job or the endpoint failed, with AWS's reason. A retry starts the next attempt."""


class JobLost(JobFailed):
    """AWS lost the job, by an error of its own. A retry makes the next attempt, as often as Airflow has retries."""


class BadInput(JobFailed, AirflowFailException):
    """The job's script ended with status 2: its input is wrong. Fails at once, since a retry would find the same."""


class PipelineRejected(AirflowFailException):
    """The pipeline reached a Fail step. A retry would reach it again."""


class DeadlineExceeded(AirflowException):
    """The task's time is over. The job was stopped, where AWS can stop it."""


class TaskKilled(AirflowException):
    """The task was ended, by a user or because its worker stops."""


class RequestRefused(AirflowFailException):
    """AWS refuses the request: it is malformed or not allowed. Fails at once, without a retry."""


class Overtaken(AirflowFailException):
    """The decision that this task carries out is out of date: decide again, since a retry would fail the same way."""


class BadResult(AirflowFailException):
    """The job completed and its result is not there, too long or not JSON. A retry would find the same."""
