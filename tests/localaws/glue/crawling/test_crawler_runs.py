"""Crawls through boto3: tables, partitions, change policies, logs, stops, crashes."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest
from crawler_kit import Lake, columns
from pyarrow import parquet

REVIEWS = (
    "sentiment,review_body,product_category\n"
    '1,"So ""good"" it is, really",Dresses\n'
    "-1,bad,Knits\n"
    "0,neither good nor bad,Fine gauge\n"
)
CLASSIFIER = {"Delimiter": ",", "QuoteSymbol": '"', "ContainsHeader": "PRESENT", "Serde": "OpenCSVSerDe"}


@pytest.fixture
def lake(localaws: Any) -> Lake:
    return Lake()


def test_reviews_csv_with_a_classifier_becomes_an_open_csv_table(lake: Lake) -> None:
    lake.put("transformed/reviews/reviews.csv", REVIEWS)
    lake.glue.create_classifier(CsvClassifier={"Name": lake.name, **CLASSIFIER})
    table = lake.crawl("transformed/reviews/", Classifiers=[lake.name])["reviews"]
    assert columns(table) == {"sentiment": "bigint", "review_body": "string", "product_category": "string"}
    storage = table["StorageDescriptor"]
    assert storage["Location"] == lake.uri("transformed/reviews/")
    assert storage["SerdeInfo"] == {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"quoteChar": '"', "separatorChar": ","},
    }
    assert storage["InputFormat"] == "org.apache.hadoop.mapred.TextInputFormat"
    parameters = table["Parameters"]
    assert parameters.pop("CRAWL_RUN_ID")
    assert parameters.pop("UPDATED_BY_CRAWLER").startswith(lake.name)
    assert parameters == {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "areColumnsQuoted": "true",
        "averageRecordSize": str(len(REVIEWS) // 3),
        "classification": "csv",
        "columnsOrdered": "true",
        "compressionType": "none",
        "delimiter": ",",
        "objectCount": "1",
        "recordCount": "3",
        "sizeKey": str(len(REVIEWS)),
        "skip.header.line.count": "1",
        "typeOfData": "file",
    }
    assert (table["TableType"], table["PartitionKeys"], table["Owner"]) == ("EXTERNAL_TABLE", [], "owner")


def test_crawl_goes_to_ready_with_last_crawl_metrics_history_and_log(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    name = lake.crawler("data/")
    last = lake.run(name)
    assert (last["Status"], last["LogGroup"], last["LogStream"]) == ("SUCCEEDED", "/aws-glue/crawlers", name)
    assert "ErrorMessage" not in last
    (metrics,) = lake.glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"], metrics["TablesDeleted"]) == (1, 0, 0)
    assert metrics["LastRuntimeSeconds"] == metrics["MedianRuntimeSeconds"] > 0
    (crawl,) = lake.glue.list_crawls(CrawlerName=name)["Crawls"]
    assert (crawl["State"], crawl["CrawlId"]) == ("COMPLETED", last["MessagePrefix"])
    assert crawl["StartTime"] <= crawl["EndTime"]
    assert '"TABLE":{"ADD":1' in crawl["Summary"]
    log = lake.log_of(name)
    for line in (
        f"[{crawl['CrawlId']}] BENCHMARK : Running Start Crawl for Crawler {name}",
        f"Classification complete, writing results to database {lake.name}",
        f"Created table data in database {lake.name}",
        "Crawler has finished running and is in state READY",
    ):
        assert line in log


def test_history_is_newest_first_and_can_be_filtered(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    name = lake.crawler("data/")
    ids = [lake.run(name)["MessagePrefix"] for _ in range(3)]
    glue = lake.glue
    assert [crawl["CrawlId"] for crawl in glue.list_crawls(CrawlerName=name)["Crawls"]] == ids[::-1]
    by_id = [{"FieldName": "CRAWL_ID", "FilterOperator": "EQ", "FieldValue": ids[1]}]
    assert [crawl["CrawlId"] for crawl in glue.list_crawls(CrawlerName=name, Filters=by_id)["Crawls"]] == [ids[1]]
    failed = [{"FieldName": "STATE", "FilterOperator": "EQ", "FieldValue": "FAILED"}]
    assert glue.list_crawls(CrawlerName=name, Filters=failed)["Crawls"] == []
    since = [{"FieldName": "START_TIME", "FilterOperator": "GT", "FieldValue": "0"}]
    page = glue.list_crawls(CrawlerName=name, Filters=since, MaxResults=2)
    assert len(page["Crawls"]) == 2
    assert page["NextToken"]
    rest = glue.list_crawls(CrawlerName=name, Filters=since, MaxResults=2, NextToken=page["NextToken"])
    assert [crawl["CrawlId"] for crawl in [*page["Crawls"], *rest["Crawls"]]] == ids[::-1]
    assert "NextToken" not in rest


def test_partition_folders_become_partitions_with_their_own_numbers(lake: Lake) -> None:
    for year in (2025, 2026):
        for month in (1, 2):
            lake.put(f"sales/year={year}/month={month}/a.csv", "id,amount\n1,2.5\n2,3.5\n")
    table = lake.crawl("sales/")["sales"]
    assert table["PartitionKeys"] == [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}]
    assert (table["Parameters"]["objectCount"], table["Parameters"]["recordCount"]) == ("4", "8")
    partitions = lake.partitions("sales")
    assert set(partitions) == {("2025", "1"), ("2025", "2"), ("2026", "1"), ("2026", "2")}
    one = partitions[("2026", "2")]
    assert one["StorageDescriptor"]["Location"] == lake.uri("sales/year=2026/month=2/")
    assert columns(one) == {"id": "bigint", "amount": "double"}
    assert (one["Parameters"]["objectCount"], one["Parameters"]["recordCount"]) == ("1", "2")


def test_many_partitions_are_all_written(lake: Lake) -> None:
    for day in range(120):
        lake.put(f"days/day={day:03d}/a.csv", "id,text\n1,a\n")
    lake.crawl("days/")
    assert len(lake.partitions("days")) == 120


def test_parquet_and_json_and_gzip_are_recognised(lake: Lake) -> None:
    buffer = io.BytesIO()
    parquet.write_table(pa.table({"id": [1, 2], "geo": [{"lat": 1.5}, {"lat": 2.5}]}), buffer)
    lake.put("all/points/part-0.parquet", buffer.getvalue())
    lake.put("all/events/a.json", '{"id": 1, "tags": ["x"]}\n{"id": 2, "tags": []}\n')
    tables = lake.crawl("all/")
    assert columns(tables["points"]) == {"id": "bigint", "geo": "struct<lat:double>"}
    assert tables["points"]["Parameters"]["recordCount"] == "2"
    serde = tables["points"]["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"]
    assert serde == "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    assert columns(tables["events"]) == {"id": "int", "tags": "array<string>"}
    assert tables["events"]["StorageDescriptor"]["SerdeInfo"] == {
        "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
        "Parameters": {"paths": "id,tags"},
    }


def test_exclusions_and_hidden_and_empty_objects_are_left_out(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    lake.put("data/skip.json", '{"x": 1}')
    lake.put("data/_SUCCESS", "")
    lake.put("data/_temporary/b.csv", "other,thing,here\n1,2,3\n")
    lake.put("data-2/b.csv", "other,thing,here\n1,2,3\n")
    targets = {"S3Targets": [{"Path": lake.uri("data"), "Exclusions": ["*.json"]}]}
    tables = lake.crawl(Targets=targets)
    assert set(tables) == {"data"}
    assert tables["data"]["Parameters"]["objectCount"] == "1"
    assert tables["data"]["Parameters"]["exclusions"] == '["*.json"]'


def test_sample_size_looks_at_some_objects_and_counts_all(lake: Lake) -> None:
    for number in range(5):
        lake.put(f"data/{number}.csv", "id,text\n1,a\n" if number < 2 else "something else entirely")
    targets = {"S3Targets": [{"Path": lake.uri("data/"), "SampleSize": 2}]}
    assert lake.crawl(Targets=targets)["data"]["Parameters"]["objectCount"] == "5"


def test_several_targets_are_several_tables_and_a_prefix_is_put_before(lake: Lake) -> None:
    lake.put("path/foo=123/test.csv", "id, name\n1, test 1\n2, test 2\n")
    lake.put("path-2/foo=456/test.csv", "id, name\n1, test 1\n2, test 2\n")
    tables = lake.crawl("path", "path-2/", TablePrefix="My-")
    assert set(tables) == {"my_path", "my_path_2"}
    assert tables["my_path"]["PartitionKeys"] == [{"Name": "foo", "Type": "string"}]


def test_whole_bucket_is_named_after_the_bucket(lake: Lake) -> None:
    lake.put("foo=123/test.csv", "id, name\n1, test 1\n2, test 2\n")
    tables = lake.crawl("")
    (name,) = tables
    assert name == lake.name.replace("-", "_")
    assert tables[name]["StorageDescriptor"]["Location"] == f"s3://{lake.name}/"


def test_one_object_is_a_table_by_its_file_name(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    lake.put("data/b.csv", "x,y\n1,2\n")
    tables = lake.crawl("data/a.csv")
    assert set(tables) == {"a_csv"}
    assert tables["a_csv"]["StorageDescriptor"]["Location"] == lake.uri("data/a.csv")


def test_name_taken_by_a_table_that_no_crawler_made_gets_a_hash(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    mine = {"Name": "data", "StorageDescriptor": {"Columns": [{"Name": "x", "Type": "int"}], "Location": "s3://else/"}}
    lake.glue.create_table(DatabaseName=lake.name, TableInput=mine)
    name = lake.crawler("data/")
    lake.run(name)
    lake.run(name)
    tables = lake.tables()
    (other,) = set(tables) - {"data"}
    assert other.startswith("data_")
    assert columns(tables["data"]) == {"x": "int"}
    assert columns(tables[other]) == {"id": "bigint", "text": "string"}


def test_second_crawl_of_the_same_data_changes_nothing(lake: Lake) -> None:
    lake.put("data/day=1/a.csv", "id,text\n1,a\n")
    name = lake.crawler("data/")
    lake.run(name)
    before = lake.tables()["data"]
    lake.run(name)
    (metrics,) = lake.glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"], metrics["TablesDeleted"]) == (0, 0, 0)
    assert lake.tables()["data"] == before


def test_new_column_and_partition_update_the_table(lake: Lake) -> None:
    lake.put("data/day=1/a.csv", "id,text,stars\n1,a,2\n")
    name = lake.crawler("data/")
    lake.run(name)
    lake.put("data/day=2/a.csv", "id,text,stars,more\n1,a,2.5,x\n")
    lake.run(name)
    assert columns(lake.tables()["data"]) == {"id": "bigint", "text": "string", "stars": "double", "more": "string"}
    partitions = lake.partitions("data")
    assert columns(partitions[("1",)])["stars"] == "bigint"
    assert columns(partitions[("2",)])["stars"] == "double"
    (metrics,) = lake.glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"]
    assert (metrics["TablesCreated"], metrics["TablesUpdated"]) == (0, 1)


def test_update_behaviour_log_keeps_the_table_and_still_adds_partitions(lake: Lake) -> None:
    lake.put("data/day=1/a.csv", "id,text,stars\n1,a,2\n")
    name = lake.crawler("data/", SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"})
    lake.run(name)
    lake.put("data/day=2/a.csv", "id,text,stars,more\n1,a,2,x\n")
    lake.run(name)
    assert columns(lake.tables()["data"]) == {"id": "bigint", "text": "string", "stars": "bigint"}
    assert set(lake.partitions("data")) == {("1",), ("2",)}
    assert "Table data in database" in lake.log_of(name)


def test_merge_new_columns_adds_and_never_changes(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text,stars\n1,a,2\n")
    merging = '{"Version": 1.0, "CrawlerOutput": {"Tables": {"AddOrUpdateBehavior": "MergeNewColumns"}}}'
    name = lake.crawler("data/", Configuration=merging)
    lake.run(name)
    lake.put("data/a.csv", "id,text,stars,more\n1.5,a,2,x\n")
    lake.run(name)
    assert columns(lake.tables()["data"]) == {"id": "bigint", "text": "string", "stars": "bigint", "more": "string"}


def test_inherit_from_table_gives_partitions_the_tables_columns(lake: Lake) -> None:
    lake.put("data/day=1/a.csv", "id,text,stars\n1,a,2\n")
    lake.put("data/day=2/a.csv", "id,text,stars\n1,a,2.5\n")
    inheriting = '{"Version": 1.0, "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}}}'
    lake.crawl("data/", Configuration=inheriting)
    assert {columns(partition)["stars"] for partition in lake.partitions("data").values()} == {"double"}


def test_changed_partition_keys_recreate_the_table(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    name = lake.crawler("data/")
    lake.run(name)
    lake.s3.delete_object(Bucket=lake.name, Key="data/a.csv")
    lake.put("data/day=1/a.csv", "id,text\n1,a\n")
    lake.run(name)
    assert lake.tables()["data"]["PartitionKeys"] == [{"Name": "day", "Type": "string"}]
    assert set(lake.partitions("data")) == {("1",)}


@pytest.mark.parametrize("behaviour", ["LOG", "DELETE_FROM_DATABASE", "DEPRECATE_IN_DATABASE"])
def test_delete_behaviour(lake: Lake, behaviour: str) -> None:
    lake.put("all/stay/day=1/a.csv", "id,text\n1,a\n")
    lake.put("all/stay/day=2/a.csv", "id,text\n1,a\n")
    lake.put("all/go/a.json", '{"x": 1}')
    policy = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": behaviour}
    name = lake.crawler("all/", SchemaChangePolicy=policy)
    lake.run(name)
    assert set(lake.tables()) == {"stay", "go"}
    for key in ("all/go/a.json", "all/stay/day=2/a.csv"):
        lake.s3.delete_object(Bucket=lake.name, Key=key)
    lake.put("all/other/a.json", '{"y": "z"}')
    lake.run(name)
    tables = lake.tables()
    kept = behaviour != "DELETE_FROM_DATABASE"
    assert ("go" in tables) == kept
    assert set(lake.partitions("stay")) == ({("1",), ("2",)} if kept else {("1",)})
    if kept:
        marked = "DEPRECATED_BY_CRAWLER" in tables["go"]["Parameters"]
        assert marked == (behaviour == "DEPRECATE_IN_DATABASE")


def test_table_of_another_place_is_not_deleted(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    lake.put("data-2/a.json", '{"x": 1}')
    policy = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DELETE_FROM_DATABASE"}
    name = lake.crawler("data", "data-2", SchemaChangePolicy=policy)
    lake.run(name)
    lake.glue.update_crawler(Name=name, Targets={"S3Targets": [{"Path": lake.uri("data")}]})
    lake.run(name)
    assert set(lake.tables()) == {"data", "data_2"}


def test_combine_and_level_come_from_the_configuration(lake: Lake) -> None:
    lake.put("all/x/1/a.csv", "id,text\n1,a\n")
    lake.put("all/y/1/a.csv", "id,text\n1,a\n")
    level = '{"Version": 1.0, "Grouping": {"TableLevelConfiguration": 3}}'
    assert set(lake.crawl("all/", Configuration=level)) == {"x", "y"}


def test_nothing_to_crawl_succeeds_and_says_so(lake: Lake) -> None:
    name = lake.crawler("nothing/here/")
    assert lake.run(name)["Status"] == "SUCCEEDED"
    assert lake.tables() == {}
    assert f"Nothing to crawl in {lake.uri('nothing/here/')}" in lake.log_of(name)


def test_object_that_nobody_recognises_is_an_unknown_table_and_the_log_says_why(lake: Lake) -> None:
    lake.put("data/latin.csv", b"id,text\n1,caf\xe9\n2,b\n")
    name = lake.crawler("data/")
    last = lake.run(name)
    assert last["Status"] == "SUCCEEDED", last
    table = lake.tables()["data"]
    assert (table["Parameters"]["classification"], columns(table)) == ("UNKNOWN", {})
    assert "is UNKNOWN: not Parquet; not JSON; not UTF-8: byte 0xe9 at offset 13" in lake.log_of(name)


def test_missing_bucket_fails_the_crawl(lake: Lake) -> None:
    name = lake.crawler(Targets={"S3Targets": [{"Path": "s3://no-such-bucket-anywhere/data/"}]})
    last = lake.run(name)
    assert last["Status"] == "FAILED"
    assert "s3://no-such-bucket-anywhere/data/: The specified bucket does not exist" in last["ErrorMessage"]
    (crawl,) = lake.glue.list_crawls(CrawlerName=name)["Crawls"]
    assert (crawl["State"], crawl["ErrorMessage"]) == ("FAILED", last["ErrorMessage"])
    assert "ERROR : s3://no-such-bucket" in lake.log_of(name)


def test_missing_database_is_created_by_the_crawl(lake: Lake) -> None:
    lake.put("data/a.csv", "id,text\n1,a\n")
    database = f"{lake.name}-new"
    name = lake.crawler("data/", DatabaseName=database)
    assert [lake.run(name)["Status"] for _ in range(2)] == ["SUCCEEDED", "SUCCEEDED"]
    assert [table["Name"] for table in lake.glue.get_tables(DatabaseName=database)["TableList"]] == ["data"]
    assert lake.log_of(name).count(f"INFO : Created database {database}") == 1


def test_deleted_classifier_fails_the_crawl(lake: Lake) -> None:
    lake.glue.create_classifier(CsvClassifier={"Name": lake.name, **CLASSIFIER})
    name = lake.crawler("data/", Classifiers=[lake.name])
    lake.glue.delete_classifier(Name=lake.name)
    assert lake.run(name)["ErrorMessage"] == f"Classifier {lake.name} not found."


def many_objects(lake: Lake, count: int = 200) -> None:
    """Enough for a crawl to be going on still when the next request comes."""
    for number in range(count):
        lake.put(f"many/{number:04d}.csv", "id,text\n1,a\n")


def test_running_crawler_is_not_started_changed_or_deleted_and_can_be_stopped(lake: Lake) -> None:
    many_objects(lake)
    name, glue = lake.crawler("many/"), lake.glue
    with pytest.raises(glue.exceptions.CrawlerNotRunningException):
        glue.stop_crawler(Name=name)
    glue.start_crawler(Name=name)
    with pytest.raises(glue.exceptions.CrawlerRunningException) as error:
        glue.start_crawler(Name=name)
    assert error.value.response["Error"]["Message"] == f"Crawler with name {name} has already started"
    with pytest.raises(glue.exceptions.CrawlerRunningException):
        glue.update_crawler(Name=name, TablePrefix="x")
    with pytest.raises(glue.exceptions.CrawlerRunningException):
        glue.delete_crawler(Name=name)
    assert glue.list_crawls(CrawlerName=name)["Crawls"][0]["State"] == "RUNNING"
    glue.stop_crawler(Name=name)
    last = lake.wait(name)
    assert last["Status"] == "CANCELLED"
    assert glue.list_crawls(CrawlerName=name)["Crawls"][0]["State"] == "STOPPED"
    assert lake.tables() == {}


@pytest.mark.parametrize("orderly", [True, False])
def test_crawl_interrupted_by_the_servers_end_is_run_again_once(own_localaws: Any, orderly: bool) -> None:
    lake = Lake()
    many_objects(lake)
    name = lake.crawler("many/")
    lake.glue.start_crawler(Name=name)
    own_localaws.stop() if orderly else own_localaws.kill()
    own_localaws.restart()
    last = lake.wait(name)
    assert last["Status"] == "SUCCEEDED", last
    assert lake.tables()["many"]["Parameters"]["objectCount"] == "200"
    (crawl,) = lake.glue.list_crawls(CrawlerName=name)["Crawls"]
    assert (crawl["State"], crawl["CrawlId"]) == ("COMPLETED", last["MessagePrefix"])
    assert "begins again" in lake.log_of(name)


def test_crawl_interrupted_twice_is_failed_and_can_be_started_again(own_localaws: Any) -> None:
    lake = Lake()
    many_objects(lake)
    name = lake.crawler("many/")
    lake.glue.start_crawler(Name=name)
    for _ in range(2):
        own_localaws.kill()
        own_localaws.restart()
    last = lake.wait(name)
    assert (last["Status"], "the second time" in last["ErrorMessage"]) == ("FAILED", True)
    assert lake.run(name)["Status"] == "SUCCEEDED"
    assert [crawl["State"] for crawl in lake.glue.list_crawls(CrawlerName=name)["Crawls"]] == ["COMPLETED", "FAILED"]
