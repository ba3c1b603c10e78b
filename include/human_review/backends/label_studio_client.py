"""The few calls of Label Studio's API that pushing tasks and pulling answers take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

#: seconds that a call may take, and tries of one that met a busy server.
_TIMEOUT, _TRIES = 60, 5
#: tasks a page, and tasks that are pushed at once.
PAGE = 100


class LabelStudioRefused(Exception):
    """Label Studio does not take a request; the message says which, and what it answered."""


class LabelStudio:
    """
    A Label Studio server.

    :param url: of the server, without a path.
    :param token: a personal access token (a JWT, which is exchanged for short-lived ones), or a legacy token.
    """

    def __init__(self, url: str, token: str) -> None:
        if not token:
            raise LabelStudioRefused("the Airflow connection of Label Studio has no password: it takes an access token")
        import requests

        self.url = url.rstrip("/")
        self.token = token
        self._session = requests.Session()
        if not self._is_jwt:
            self._session.headers["Authorization"] = f"Token {token}"

    @classmethod
    def of(cls, conn_id: str) -> LabelStudio:
        """
        Return the server of an Airflow connection.

        :raises LabelStudioRefused: there is no such connection, or it lacks host or password.
        """
        from airflow.sdk import Connection
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            found = Connection.get(conn_id)
        except AirflowNotFoundException as error:
            raise LabelStudioRefused(
                f"there is no Airflow connection {conn_id!r}: make one of type http, with the server's host, port and "
                "schema, and an access token as password"
            ) from error
        if not found.host:
            raise LabelStudioRefused(f"the Airflow connection {conn_id!r} names no host")
        host = found.host.rstrip("/") if "://" in found.host else f"{found.schema or 'http'}://{found.host}"
        return cls(f"{host}:{found.port}" if found.port else host, found.password or "")

    @property
    def _is_jwt(self) -> bool:
        return self.token.count(".") == 2

    def project(self, title: str, config: str, people: int, description: str) -> int:
        """Return the id of the project with this title; one is made where there is none."""
        found = self._call("GET", "/api/projects/", params={"title": title, "page_size": PAGE})["results"]
        same = sorted(each["id"] for each in found if each["title"] == title)
        if same:
            return int(same[0])
        body = {"title": title, "label_config": config, "maximum_annotations": people, "description": description}
        return int(self._call("POST", "/api/projects/", json=body)["id"])

    def push(self, project: int, tasks: Sequence[Mapping[str, Any]], key: str) -> int:
        """
        Add the tasks that the project does not have yet; how many.

        :param key: the member of a task's ``data`` that it is known by.
        """
        there = {task["data"].get(key) for task in self.tasks(project)}
        missing = [task for task in tasks if task["data"][key] not in there]
        for start in range(0, len(missing), PAGE):
            self._call("POST", f"/api/projects/{project}/import", json=missing[start : start + PAGE])
        return len(missing)

    def tasks(self, project: int) -> Iterator[dict[str, Any]]:
        """Return the tasks of a project with their annotations, page by page."""
        page, seen = 1, 0
        while True:
            parameters = {"project": project, "fields": "all", "page": page, "page_size": PAGE}
            found = self._call("GET", "/api/tasks/", params=parameters)
            yield from found["tasks"]
            seen += len(found["tasks"])
            if not found["tasks"] or seen >= found["total"]:
                return
            page += 1

    def _call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API. :raises LabelStudioRefused: any answer but 2xx."""
        if self._is_jwt and "Authorization" not in self._session.headers:
            self._exchange_token()
        answer = self._request(method, path, **options)
        if answer.status_code == 401 and self._is_jwt:
            self._exchange_token()
            answer = self._request(method, path, **options)
        if not answer.ok:
            raise LabelStudioRefused(
                f"Label Studio answered {answer.status_code} to {method} {path}: {answer.text[:300]}"
            )
        return answer.json()

    def _exchange_token(self) -> None:
        """Exchange the personal access token, which is good for nothing else, for a short-lived one."""
        answer = self._request("POST", "/api/token/refresh/", json={"refresh": self.token})
        if not answer.ok:
            raise LabelStudioRefused(f"Label Studio does not take the access token: {answer.status_code}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access']}"

    def _request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Ask, and again where the server was busy with a call that changes nothing when it is repeated."""
        for attempt in range(_TRIES):
            answer = self._session.request(method, f"{self.url}{path}", timeout=_TIMEOUT, **options)
            busy = answer.status_code in (429, 502, 503, 504)
            if not busy or method != "GET" or attempt == _TRIES - 1:
                break
            time.sleep(2**attempt)
        return answer
