"""The Airflow plugin: puts the page "Sentiment" into the navigation, and serves it."""

from __future__ import annotations

from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from sentiment_page.lazy import LazyApp

PREFIX = "/sentiment"


def _href() -> str:
    """Return where a browser finds the page: below the path of ``[api] base_url``, where it has one."""
    return urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/") + f"{PREFIX}/"


class SentimentPagePlugin(AirflowPlugin):
    """The page is made by :mod:`sentiment_page.app`, at its first request."""

    name = "sentiment_page"
    fastapi_apps = [{"app": LazyApp("sentiment_page.app"), "url_prefix": PREFIX, "name": "Sentiment"}]
    external_views = [
        {
            "name": "Sentiment",
            "href": _href(),
            "destination": "nav",
            "url_route": "sentiment",
            "nav_top_level": True,
            "icon": f"{_href()}static/icon.svg",
            "icon_dark_mode": f"{_href()}static/icon-dark.svg",
        }
    ]
