"""What the Glue catalog does beyond keeping tables: case of names, ``default``, versions, pages."""

from __future__ import annotations

import uuid
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def glue(localaws: Any) -> Any:
    return boto3.Session().client("glue")


@pytest.fixture
def database(glue: Any) -> str:
    """The name, with capitals, of a new database."""
    name = f"Mixed_{uuid.uuid4().hex[:10]}"
    glue.create_database(DatabaseInput={"Name": name})
    return name


def table(name: str, comment: str = "") -> dict[str, Any]:
    columns = [{"Name": "a", "Type": "string", "Comment": comment}]
    return {"Name": name, "StorageDescriptor": {"Columns": columns}, "PartitionKeys": [{"Name": "p", "Type": "int"}]}


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def versions(glue: Any, database: str) -> list[tuple[str, str]]:
    """VersionId and the comment of each version of the table ``t``."""
    found = glue.get_table_versions(DatabaseName=database, TableName="t")["TableVersions"]
    return [(v["VersionId"], v["Table"]["StorageDescriptor"]["Columns"][0]["Comment"]) for v in found]


def test_names_are_in_lower_case_and_found_in_any(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database.upper(), TableInput=table("MyTable"))
    for name in (database, database.lower(), database.upper()):
        assert glue.get_database(Name=name)["Database"]["Name"] == database.lower()
        found = glue.get_table(DatabaseName=name, Name="MYTABLE")["Table"]
        assert (found["DatabaseName"], found["Name"]) == (database.lower(), "mytable")
    with pytest.raises(glue.exceptions.AlreadyExistsException):
        glue.create_table(DatabaseName=database, TableInput=table("mytable"))
    part = {"Values": ["Upper"], "StorageDescriptor": {}}
    glue.create_partition(DatabaseName=database, TableName="MyTable", PartitionInput=part)
    (kept,) = glue.get_partitions(DatabaseName=database, TableName="mytable")["Partitions"]
    assert kept["Values"] == ["Upper"]
    glue.update_table(DatabaseName=database, TableInput=table("MYTABLE", "new"))
    assert glue.batch_delete_table(DatabaseName=database, TablesToDelete=["MyTable"]).get("Errors") is None
    glue.delete_database(Name=database.upper())
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_database(Name=database.lower())


def test_default_is_listed_and_usable_without_being_created(glue: Any) -> None:
    pages = glue.get_paginator("get_databases").paginate()
    assert "default" in [entry["Name"] for page in pages for entry in page["DatabaseList"]]
    name = f"t_{uuid.uuid4().hex[:10]}"
    glue.create_table(DatabaseName="Default", TableInput=table(name))
    assert glue.get_table(DatabaseName="default", Name=name)["Table"]["DatabaseName"] == "default"
    glue.delete_table(DatabaseName="default", Name=name)
    glue.delete_database(Name="default")
    assert glue.get_database(Name="default")["Database"]["Name"] == "default"


def test_update_archives_the_version_before_unless_told_not_to(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table("t", "first"))
    glue.update_table(DatabaseName=database, TableInput=table("t", "second"))
    first = glue.get_table_versions(DatabaseName=database, TableName="t")["TableVersions"][-1]["VersionId"]
    glue.update_table(DatabaseName=database, TableInput=table("t", "third"), SkipArchive=True)
    assert [comment for _, comment in versions(glue, database)] == ["third", "first"]
    glue.update_table(DatabaseName=database, TableInput=table("t", "fourth"), SkipArchive=False)
    assert [comment for _, comment in versions(glue, database)] == ["fourth", "third", "first"]
    assert versions(glue, database)[-1][0] == first
    current = glue.get_table(DatabaseName=database, Name="t")["Table"]["VersionId"]
    assert current == versions(glue, database)[0][0]


def test_update_of_a_version_that_is_no_longer_current_is_refused(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table("t", "first"))
    version = glue.get_table(DatabaseName=database, Name="t")["Table"]["VersionId"]
    for skip in (True, False):
        request = {"DatabaseName": database, "TableInput": table("t", "x"), "SkipArchive": skip, "VersionId": version}
        if skip:
            glue.update_table(**request)
            continue
        with pytest.raises(glue.exceptions.ConcurrentModificationException):
            glue.update_table(**request)


def test_update_of_what_is_not_there_or_says_nothing_is_refused(glue: Any, database: str) -> None:
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.update_table(DatabaseName=database, TableInput=table("absent"))
    for request in ({}, {"Name": "other", "TableInput": table("t")}):
        with pytest.raises(ClientError) as error:
            glue.update_table(DatabaseName=database, **request)
        assert code(error) == "InvalidInputException"


def test_lists_have_pages(glue: Any, database: str) -> None:
    for index in range(5):
        glue.create_table(DatabaseName=database, TableInput=table(f"t{index}"))
    pages = list(glue.get_paginator("get_tables").paginate(DatabaseName=database, PaginationConfig={"PageSize": 2}))
    assert [len(page["TableList"]) for page in pages] == [2, 2, 1]
    with pytest.raises(glue.exceptions.InvalidInputException):
        glue.get_tables(DatabaseName=database, NextToken="elsewhere")


def test_segments_of_partitions_are_disjoint(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table("t"))
    inputs = [{"Values": [str(index)], "StorageDescriptor": {}} for index in range(7)]
    glue.batch_create_partition(DatabaseName=database, TableName="t", PartitionInputList=inputs)
    names = {"DatabaseName": database, "TableName": "t"}
    segments = [{"SegmentNumber": number, "TotalSegments": 3} for number in range(3)]
    answers = [glue.get_partitions(**names, Segment=segment)["Partitions"] for segment in segments]
    values = [entry["Values"][0] for answer in answers for entry in answer]
    assert (all(answers), sorted(values)) == (True, [str(index) for index in range(7)])


def test_pages_of_partitions_follow_on_each_other_whatever_is_chosen(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table("t"))
    inputs = [{"Values": [str(index)], "StorageDescriptor": {}} for index in range(20)]
    glue.batch_create_partition(DatabaseName=database, TableName="t", PartitionInputList=inputs)
    names = {"DatabaseName": database, "TableName": "t"}

    def values(size: int, **more: Any) -> list[list[int]]:
        pages = glue.get_paginator("get_partitions").paginate(**names, **more, PaginationConfig={"PageSize": size})
        return [[int(each["Values"][0]) for each in page["Partitions"]] for page in pages]

    assert values(8) == [[*range(8)], [*range(8, 16)], [*range(16, 20)]]
    assert values(3, Expression="p >= 4 AND p < 11") == [[4, 5, 6], [7, 8, 9], [10]]
    assert values(2, Segment={"SegmentNumber": 1, "TotalSegments": 4}) == [[1, 5], [9, 13], [17]]
    assert values(20) == [[*range(20)]]
    with pytest.raises(ClientError) as error:
        glue.get_partitions(**names, Expression="nonsense = 1")
    assert code(error) == "InvalidInputException"


def test_pages_of_versions_are_the_newest_first(glue: Any, database: str) -> None:
    glue.create_table(DatabaseName=database, TableInput=table("t", "0"))
    for number in range(1, 12):
        glue.update_table(DatabaseName=database, TableInput=table("t", str(number)))
    names = {"DatabaseName": database, "TableName": "t"}
    pages = glue.get_paginator("get_table_versions").paginate(**names, PaginationConfig={"PageSize": 5})
    assert [[int(version["VersionId"]) for version in page["TableVersions"]] for page in pages] == [
        [12, 11, 10, 9, 8],
        [7, 6, 5, 4, 3],
        [2, 1],
    ]
