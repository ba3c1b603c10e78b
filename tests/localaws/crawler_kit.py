"""What the crawler tests share: a lake (bucket and database) of their own, and a crawl waited for."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

import boto3
from waiting_kit import until


@dataclass
class Lake:
    """A bucket and a Glue database with the same name, and the crawlers over them."""

    name: str = field(default_factory=lambda: f"lake-{uuid.uuid4().hex[:10]}")

    def __post_init__(self) -> None:
        # The default session would remember the keys of another localaws.
        session = boto3.Session()
        self.s3, self.glue, self.logs = (session.client(service) for service in ("s3", "glue", "logs"))
        self.s3.create_bucket(Bucket=self.name)
        self.glue.create_database(DatabaseInput={"Name": self.name})

    def put(self, key: str, body: bytes | str) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def crawler(self, *prefixes: str, **settings: Any) -> str:
        """Create a crawler over some prefixes of the bucket; its name."""
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        targets = [{"Path": self.uri(prefix)} for prefix in prefixes]
        request = {"Targets": {"S3Targets": targets}, "DatabaseName": self.name, "Role": "crawler"}
        self.glue.create_crawler(Name=name, **{**request, **settings})
        return name

    def run(self, name: str) -> dict[str, Any]:
        """Start a crawl and wait for its end; LastCrawl."""
        self.glue.start_crawler(Name=name)
        return self.wait(name)

    def wait(self, name: str, state: str = "READY") -> dict[str, Any]:
        crawler = until(
            lambda: self.glue.get_crawler(Name=name)["Crawler"], lambda seen: seen["State"] == state, every=0.02
        )
        return dict(crawler.get("LastCrawl", {}))

    def crawl(self, *prefixes: str, **settings: Any) -> dict[str, Any]:
        """Create a crawler, run it, check that it succeeded; the tables by name."""
        last = self.run(self.crawler(*prefixes, **settings))
        assert last["Status"] == "SUCCEEDED", last
        return self.tables()

    def tables(self) -> dict[str, Any]:
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=self.name)
        return {table["Name"]: table for page in pages for table in page["TableList"]}

    def partitions(self, table: str) -> dict[tuple[str, ...], Any]:
        pages = self.glue.get_paginator("get_partitions").paginate(DatabaseName=self.name, TableName=table)
        return {tuple(entry["Values"]): entry for page in pages for entry in page["Partitions"]}

    def log_of(self, crawler: str) -> str:
        events = self.logs.get_log_events(logGroupName="/aws-glue/crawlers", logStreamName=crawler, startFromHead=True)
        return "\n".join(event["message"] for event in events["events"])


def columns(entry: dict[str, Any]) -> dict[str, str]:
    """The columns of a table or partition, name -> type."""
    return {column["Name"]: column["Type"] for column in entry["StorageDescriptor"]["Columns"]}
