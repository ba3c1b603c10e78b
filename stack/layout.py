"""Where the local stack lives: its folders, its ports, and the settings its processes are started with."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: settings that change what the DAGs do: Airflow must be restarted when one of them changes.
DAG_SETTINGS = (
    "REVIEWS_",
    "SAGEMAKER_",
)


class StackError(RuntimeError):
    """Something that the person at the terminal has to know and can mend; shown without a stack trace."""


@dataclass(frozen=True)
class Stack:
    """
    One local stack.

    :param home: the folder that everything lives in (``.local``).
    :param localaws_port: where localaws listens, on 127.0.0.1.
    :param airflow_port: where Airflow's UI and API listen, on 127.0.0.1.
    :param dags: the DAG folder.
    :param settings: more environment for Airflow's processes, such as ``REVIEWS_SOURCE``.
    """

    home: Path
    localaws_port: int = 4566
    airflow_port: int = 8080
    dags: Path = ROOT / "dags"
    settings: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_environment(cls) -> Stack:
        """Return the stack that ``make`` runs: ``LOCALAWS_PORT`` and ``AIRFLOW_PORT`` move it."""
        settings = {key: value for key, value in os.environ.items() if key.startswith(DAG_SETTINGS) and value}
        source = settings.get("REVIEWS_SOURCE", "")
        if source and "://" not in source:
            # Airflow's processes run elsewhere: a relative path means the caller's folder, not theirs.
            settings["REVIEWS_SOURCE"] = str(Path(source).expanduser().resolve())
        return cls(
            home=Path(os.environ.get("STACK_HOME", ROOT / ".local")).resolve(),
            localaws_port=int(os.environ.get("LOCALAWS_PORT") or 4566),
            airflow_port=int(os.environ.get("AIRFLOW_PORT") or 8080),
            settings=settings,
        )

    @property
    def localaws_url(self) -> str:
        """The local AWS endpoint."""
        return f"http://127.0.0.1:{self.localaws_port}"

    @property
    def airflow_url(self) -> str:
        """The Airflow UI and REST API."""
        return f"http://127.0.0.1:{self.airflow_port}"

    @property
    def logs(self) -> Path:
        """What the background processes print, a file each."""
        return self.home / "logs"

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME: database, task logs, the generated password."""
        return self.home / "airflow"

    @property
    def passwords(self) -> Path:
        """The passwords of Airflow's users, as JSON."""
        return self.airflow_home / "simple_auth_manager_passwords.json.generated"

    @property
    def console_url(self) -> str | None:
        """The address that opens the console of localaws, with its token; ``None`` where there is none."""
        state = self.home / "localaws"
        try:
            url = json.loads((state / "console.json").read_text())["url"]
            return f"{url}/?token={(state / 'console.token').read_text()}"
        except FileNotFoundError:
            return None

    @property
    def jobs_python(self) -> str:
        """The interpreter of the environment for localaws and the jobs."""
        return os.environ.get("JOBS_PYTHON", str(ROOT / ".local" / "venv-jobs" / "bin" / "python"))

    @property
    def airflow_python(self) -> str:
        """The interpreter of Airflow's environment."""
        return os.environ.get("AIRFLOW_PYTHON", str(ROOT / ".local" / "venv-airflow" / "bin" / "python"))

    def aws_environment(self) -> dict[str, str]:
        """Return what makes any AWS client talk to this localaws only. Holds no secret, only its path."""
        return {
            "AWS_ENDPOINT_URL": self.localaws_url,
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def base_environment(self) -> dict[str, str]:
        """Return this process's environment without AWS and Airflow settings: a stray key must not reach the stack."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "AIRFLOW_", *DAG_SETTINGS))
        }
        return {**kept, "STACK_MARK": str(self.home)}

    def airflow_environment(self) -> dict[str, str]:
        """Return the environment of all Airflow processes."""
        return {
            **self.base_environment(),
            **self.aws_environment(),
            # For clients that say nothing themselves: a minute and more, in which a dead localaws is started again.
            "AWS_RETRY_MODE": "standard",
            "AWS_MAX_ATTEMPTS": "10",
            **self.settings,
            **airflow_settings(self),
            "PATH": f"{Path(self.airflow_python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }


def airflow_settings(stack: Stack) -> dict[str, str]:
    """Airflow's configuration, as environment variables."""
    sections = {
        "core": {
            "dags_folder": str(stack.dags),
            "plugins_folder": str(ROOT / "plugins"),
            # Airflow's own, but for what becomes of tasks when a worker or the scheduler is killed.
            "executor": "stack.executor.LocalExecutor",
            # 32 workers by default: a laptop needs four and saves about 30 idle processes.
            "parallelism": "4",
            "load_examples": "False",
            "dags_are_paused_at_creation": "False",
            "min_serialized_dag_update_interval": "1",
            "execution_api_server_url": f"{stack.airflow_url}/execution/",
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{stack.airflow_home / 'airflow.db'}"},
        # A worker may miss the end of its task's process by a hair, and then waits for so long: by default 5 seconds,
        # in which it does nothing else, and a trigger that fires meanwhile has the task tried again (Airflow 3.3.2).
        # An API server that is killed answers again after half a minute: a task that starts, resumes or ends meanwhile
        # asks on for two, not the seven seconds that five attempts may take. What it sent twice Airflow knows.
        "workers": {
            "min_heartbeat_interval": "1",
            "execution_api_retries": "40",
            "execution_api_retry_wait_max": "5",
            "execution_api_timeout": "20",
        },
        "scheduler": {
            "scheduler_idle_sleep_time": "0.5",
            "enable_health_check": "False",
            # How soon the tasks of a scheduler that was killed are adopted or run again: by default it counts as alive
            # for half a minute, and is next asked after in five.
            "scheduler_health_check_threshold": "15",
            "orphaned_tasks_check_interval": "5",
        },
        "dag_processor": {
            "refresh_interval": "5",
            # A file that has changed is read at once. To read all every 15 seconds keeps a quarter of a core busy.
            "min_file_process_interval": "60",
            "bundle_refresh_check_interval": "1",
        },
        "api": {"host": "127.0.0.1", "port": str(stack.airflow_port), "base_url": stack.airflow_url, "workers": "1"},
        "usage_data_collection": {"enabled": "False"},
        "openlineage": {
            "namespace": "sentiment",
            "transport": json.dumps(
                {"type": "file", "log_file_path": str(stack.home / "openlineage.jsonl"), "append": True}
            ),
        },
        "logging": {
            "base_log_folder": str(stack.airflow_home / "logs"),
            # Airflow sets these whatever the umask: by default a group may read and write them.
            "file_task_handler_new_folder_permissions": "0o700",
            "file_task_handler_new_file_permissions": "0o600",
        },
    }
    names = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": value
        for section, options in sections.items()
        for option, value in options.items()
    }
    # An empty AWS connection: boto3's own chain finds endpoint, keys and region in the environment, here as on AWS.
    return {
        **names,
        "AIRFLOW_HOME": str(stack.airflow_home),
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        # For the links of tasks: the endpoint answers the paths of AWS's console.
        "AWS_CONSOLE_URL": stack.localaws_url,
    }
