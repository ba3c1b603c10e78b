"""Crawlers and their schedules through boto3: what is stored, shown, refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from crawler_kit import Lake


@pytest.fixture(scope="module")
def lake(localaws: Any) -> Lake:
    return Lake()


def code_and_message(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    answer = error.value.response["Error"]
    return answer["Code"], answer["Message"]


def test_created_crawler_is_ready_and_shows_defaults(lake: Lake) -> None:
    name = lake.crawler("data/", Role="arn:aws:iam::123456789012:role/service-role/glue", TablePrefix="raw_")
    crawler = lake.glue.get_crawler(Name=name)["Crawler"]
    assert (crawler["State"], crawler["Version"], crawler["CrawlElapsedTime"]) == ("READY", 1, 0)
    assert crawler["Role"] == "service-role/glue"
    assert crawler["TablePrefix"] == "raw_"
    assert crawler["SchemaChangePolicy"] == {
        "UpdateBehavior": "UPDATE_IN_DATABASE",
        "DeleteBehavior": "DEPRECATE_IN_DATABASE",
    }
    assert crawler["RecrawlPolicy"] == {"RecrawlBehavior": "CRAWL_EVERYTHING"}
    assert crawler["Targets"]["S3Targets"] == [{"Path": lake.uri("data/"), "Exclusions": []}]
    assert crawler["Targets"]["JdbcTargets"] == []
    assert "LastCrawl" not in crawler


def test_second_crawler_of_a_name_is_refused(lake: Lake) -> None:
    name = lake.crawler("data/")
    with pytest.raises(ClientError) as error:
        lake.glue.create_crawler(Name=name, Role="r", Targets={"S3Targets": [{"Path": lake.uri("x")}]})
    assert code_and_message(error)[0] == "AlreadyExistsException"


@pytest.mark.parametrize(
    ("method", "key"),
    [
        ("get_crawler", "Name"),
        ("update_crawler", "Name"),
        ("start_crawler", "Name"),
        ("stop_crawler", "Name"),
        ("delete_crawler", "Name"),
        ("list_crawls", "CrawlerName"),
        ("start_crawler_schedule", "CrawlerName"),
        ("stop_crawler_schedule", "CrawlerName"),
        ("update_crawler_schedule", "CrawlerName"),
    ],
)
def test_unknown_crawler_is_an_entity_not_found(lake: Lake, method: str, key: str) -> None:
    with pytest.raises(lake.glue.exceptions.EntityNotFoundException) as error:
        getattr(lake.glue, method)(**{key: "nobody"})
    assert code_and_message(error)[1] == "Crawler entry with name nobody does not exist"


def test_update_changes_what_is_given_and_counts_versions(lake: Lake) -> None:
    name = lake.crawler("data/", Description="before")
    lake.glue.update_crawler(Name=name, TablePrefix="p_", Targets={"S3Targets": [{"Path": lake.uri("other/")}]})
    crawler = lake.glue.get_crawler(Name=name)["Crawler"]
    assert (crawler["Description"], crawler["TablePrefix"], crawler["Version"]) == ("before", "p_", 2)
    assert crawler["Targets"]["S3Targets"][0]["Path"] == lake.uri("other/")


def test_listing_pages_and_filters_by_tags(lake: Lake) -> None:
    names = [lake.crawler("data/", Tags={"team": "lake", "number": str(number)}) for number in range(3)]
    assert lake.glue.list_crawlers(Tags={"team": "lake", "number": "1"})["CrawlerNames"] == [names[1]]
    first = lake.glue.list_crawlers(Tags={"team": "lake"}, MaxResults=2)
    second = lake.glue.list_crawlers(Tags={"team": "lake"}, MaxResults=2, NextToken=first["NextToken"])
    assert first["CrawlerNames"] + second["CrawlerNames"] == names
    everything = lake.glue.get_paginator("get_crawlers").paginate(PaginationConfig={"PageSize": 1})
    assert {crawler["Name"] for page in everything for crawler in page["Crawlers"]} >= set(names)


def test_batch_get_names_those_that_are_not_there(lake: Lake) -> None:
    name = lake.crawler("data/")
    answer = lake.glue.batch_get_crawlers(CrawlerNames=[name, "nobody"])
    assert ([crawler["Name"] for crawler in answer["Crawlers"]], answer["CrawlersNotFound"]) == ([name], ["nobody"])


def test_deleted_crawler_is_gone_with_its_tags(lake: Lake) -> None:
    name = lake.crawler("data/", Tags={"team": "gone"})
    lake.glue.delete_crawler(Name=name)
    with pytest.raises(lake.glue.exceptions.EntityNotFoundException):
        lake.glue.get_crawler(Name=name)
    arn = f"arn:aws:glue:us-east-1:123456789012:crawler/{name}"
    assert lake.glue.get_tags(ResourceArn=arn)["Tags"] == {}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"Targets": {"JdbcTargets": [{"ConnectionName": "c", "Path": "db/%"}]}}, "JdbcTargets"),
        ({"Targets": {"DynamoDBTargets": [{"Path": "t"}]}}, "DynamoDBTargets"),
        ({"Targets": {"S3Targets": [{"Path": "s3://b/", "EventQueueArn": "arn:aws:sqs:::q"}]}}, "EventQueueArn"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}}, "CRAWL_NEW_FOLDERS_ONLY"),
        ({"LineageConfiguration": {"CrawlerLineageSettings": "ENABLE"}}, "CrawlerLineageSettings"),
        ({"LakeFormationConfiguration": {"UseLakeFormationCredentials": True}}, "UseLakeFormationCredentials"),
        ({"CrawlerSecurityConfiguration": "secret"}, "CrawlerSecurityConfiguration"),
        ({"Configuration": '{"Version": 1.0, "CreatePartitionIndex": true}'}, "CreatePartitionIndex"),
        ({"Schedule": "cron(0 0 L * ? *)"}, "L in a cron"),
    ],
)
def test_what_is_not_done_is_refused_by_name(lake: Lake, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError) as error:
        lake.crawler("data/", **settings)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert named in code_and_message(error)[1]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"Targets": {}}, "target"),
        ({"Targets": {"S3Targets": [{"Path": "https://example.com/a"}]}}, "not an S3 path"),
        ({"Targets": {"S3Targets": [{"Path": "s3://b/", "Exclusions": ["[a"]}]}}, "exclude pattern"),
        ({"Targets": {"S3Targets": [{"Path": "s3://b/", "SampleSize": 250}]}}, "SampleSize"),
        ({"Classifiers": ["nobody"]}, "nobody"),
        ({"Configuration": "{"}, "Configuration"),
        ({"Schedule": "rate(5 minutes)"}, "rate"),
    ],
)
def test_invalid_input_is_refused(lake: Lake, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(lake.glue.exceptions.InvalidInputException) as error:
        lake.crawler("data/", **settings)
    assert named in code_and_message(error)[1]


@pytest.mark.parametrize(
    ("condition", "named"),
    [
        ({"FilterOperator": "EQ", "FieldValue": "FAILED"}, "FieldName"),
        ({"FieldName": "STATE", "FieldValue": "FAILED"}, "FilterOperator"),
        ({"FieldName": "STATE", "FilterOperator": "EQ"}, "FieldValue"),
        ({"FieldName": "STATE", "FilterOperator": "EQ", "FieldValue": "SUCCEEDED"}, "SUCCEEDED"),
        ({"FieldName": "STATE", "FilterOperator": "GT", "FieldValue": "FAILED"}, "GT"),
        ({"FieldName": "CRAWL_ID", "FilterOperator": "EQ", "FieldValue": "1"}, "CRAWL_ID"),
        ({"FieldName": "END_TIME", "FilterOperator": "LT", "FieldValue": "noon"}, "noon"),
        ({"FieldName": "START_TIME", "FilterOperator": "LT", "FieldValue": str(10**30)}, "START_TIME"),
        ({"FieldName": "DPU_HOUR", "FilterOperator": "LT", "FieldValue": "nan"}, "DPU_HOUR"),
    ],
)
def test_invalid_filter_of_crawls_is_refused_before_any_crawl(
    lake: Lake, condition: dict[str, Any], named: str
) -> None:
    name = lake.crawler("data/")
    with pytest.raises(lake.glue.exceptions.InvalidInputException) as error:
        lake.glue.list_crawls(CrawlerName=name, Filters=[condition])
    assert named in code_and_message(error)[1]


def test_foreign_page_token_of_crawls_is_refused(lake: Lake) -> None:
    with pytest.raises(lake.glue.exceptions.InvalidInputException):
        lake.glue.list_crawls(CrawlerName=lake.crawler("data/"), NextToken="elsewhere")


def test_metrics_of_a_crawler_that_never_ran_are_zero(lake: Lake) -> None:
    name = lake.crawler("data/")
    (metrics,) = lake.glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"]
    assert (metrics["CrawlerName"], metrics["TablesCreated"], metrics["LastRuntimeSeconds"]) == (name, 0, 0.0)


def test_schedule_is_started_stopped_changed_and_removed(lake: Lake) -> None:
    glue = lake.glue
    name = lake.crawler("data/", Schedule="cron(0 3 1 1 ? 2099)")
    shown = {"ScheduleExpression": "cron(0 3 1 1 ? 2099)", "State": "SCHEDULED"}
    assert glue.get_crawler(Name=name)["Crawler"]["Schedule"] == shown
    with pytest.raises(glue.exceptions.SchedulerRunningException):
        glue.start_crawler_schedule(CrawlerName=name)
    glue.stop_crawler_schedule(CrawlerName=name)
    assert glue.get_crawler(Name=name)["Crawler"]["Schedule"]["State"] == "NOT_SCHEDULED"
    with pytest.raises(glue.exceptions.SchedulerNotRunningException):
        glue.stop_crawler_schedule(CrawlerName=name)
    glue.start_crawler_schedule(CrawlerName=name)
    glue.update_crawler_schedule(CrawlerName=name, Schedule="cron(0 4 1 1 ? 2099)")
    assert glue.get_crawler(Name=name)["Crawler"]["Schedule"]["ScheduleExpression"] == "cron(0 4 1 1 ? 2099)"
    glue.update_crawler_schedule(CrawlerName=name, Schedule="")
    assert "Schedule" not in glue.get_crawler(Name=name)["Crawler"]
    with pytest.raises(glue.exceptions.NoScheduleException):
        glue.start_crawler_schedule(CrawlerName=name)
