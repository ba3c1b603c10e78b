"""Which folders become which tables and partitions. Pure: trees of folders in, groups out."""

from __future__ import annotations

import pytest

from localaws.glue.crawling import configuration, definition
from localaws.glue.crawling.definition import Author
from localaws.glue.crawling.grouping import Group, Policy, group
from localaws.glue.crawling.schema import UNRECOGNISED, Format, Found
from localaws.glue.crawling.targets import Folder, Location, S3Object, glob
from localaws.glue.crawling.types import BIGINT, DOUBLE, STRING, Column

CSV = Format("csv")
JSON = Format("json")
REVIEW = Found(CSV, (Column("id", BIGINT), Column("text", STRING)), 10, 100)
ORDER = Found(CSV, (Column("order_id", BIGINT), Column("amount", DOUBLE), Column("when", STRING)), 10, 100)


def tree(root: str, objects: dict[str, Found]) -> Folder:
    folder = Folder(root)
    for key, found in objects.items():
        place = folder
        for name in key.split("/")[:-1]:
            place = place.folders.setdefault(name, Folder(f"{place.prefix}{name}/"))
        place.objects.append(S3Object(f"{root}{key}", 100, found))
    return folder


def tables(objects: dict[str, Found], policy: Policy | None = None, root: str = "data/") -> dict[str, list[str]]:
    """Root of each table -> its partitions, names joined by a slash."""
    found = group(tree(root, objects), policy)
    return {table.root: ["/".join(part.path) for part in table.partitions if part.path] for table in found}


def test_alike_objects_in_a_folder_are_one_table() -> None:
    assert tables({"a.csv": REVIEW, "b.csv": REVIEW}) == {"data/": []}


def test_different_objects_in_a_folder_are_a_table_each() -> None:
    assert tables({"a.csv": REVIEW, "b.csv": ORDER}) == {"data/a.csv": [], "data/b.csv": []}


def test_key_value_folders_are_partitions() -> None:
    found = {f"year={year}/month={month}/a.csv": REVIEW for year in (2025, 2026) for month in (1, 2)}
    assert tables(found) == {
        "data/": ["year=2025/month=1", "year=2025/month=2", "year=2026/month=1", "year=2026/month=2"]
    }


def test_plain_folders_alike_are_partitions_and_different_ones_are_tables() -> None:
    assert tables({"x/a.csv": REVIEW, "y/a.csv": REVIEW}) == {"data/": ["x", "y"]}
    assert tables({"x/a.csv": REVIEW, "y/a.csv": ORDER}) == {"data/x/": [], "data/y/": []}


def test_majority_of_folders_makes_the_table_and_the_odd_one_stays_apart() -> None:
    found = {"x/a.csv": REVIEW, "y/a.csv": REVIEW, "z/a.csv": ORDER}
    assert tables(found) == {"data/": ["x", "y"], "data/z/": []}


def test_folders_of_different_depth_are_tables_of_their_own() -> None:
    assert tables({"x/a.csv": REVIEW, "y/1/a.csv": REVIEW}) == {"data/x/": [], "data/y/": ["1"]}


def test_alike_objects_at_different_depths_are_read_as_one_table_without_keys() -> None:
    assert tables({"a.csv": REVIEW, "old/b.csv": REVIEW}) == {"data/": []}


def test_objects_beside_a_different_folder_are_tables_of_their_own() -> None:
    assert tables({"a.csv": REVIEW, "old/b.csv": ORDER}) == {"data/a.csv": [], "data/": ["old"]}


def test_formats_and_compressions_never_share_a_table() -> None:
    packed = Found(Format("csv", "gzip"), REVIEW.columns, 10, 100)
    other = Found(JSON, REVIEW.columns, 10, 100)
    assert len(tables({"x/a": REVIEW, "y/a": packed, "z/a": other}, Policy(combine=True))) == 3


def test_schema_that_grows_a_column_stays_one_table_with_all_columns() -> None:
    longer = Found(CSV, (*REVIEW.columns, Column("stars", BIGINT)), 10, 100)
    found = group(tree("data/", {"day=1/a.csv": REVIEW, "day=2/a.csv": longer}))
    assert [column.name for column in found[0].columns] == ["id", "text", "stars"]


def test_combine_compatible_schemas_ignores_how_different_the_columns_are() -> None:
    found = {"year=2025/a.csv": REVIEW, "year=2026/a.csv": ORDER}
    assert tables(found) == {"data/year=2025/": [], "data/year=2026/": []}
    assert tables(found, Policy(combine=True)) == {"data/": ["year=2025", "year=2026"]}


def test_table_level_makes_a_table_of_each_folder_at_that_level() -> None:
    found = {"x/1/a.csv": REVIEW, "x/2/a.csv": REVIEW, "y/1/a.csv": REVIEW}
    assert tables(found) == {"data/": ["x/1", "x/2", "y/1"]}
    assert tables(found, Policy(level=3)) == {"data/x/": ["1", "2"], "data/y/": ["1"]}
    assert tables(found, Policy(level=2)) == {"data/": ["x/1", "x/2", "y/1"]}


def test_bucket_is_level_one() -> None:
    found = {"x/a.csv": REVIEW, "y/a.csv": REVIEW}
    assert tables(found, Policy(level=2), root="") == {"x/": [], "y/": []}


def test_unrecognised_objects_count_only_where_there_is_nothing_better() -> None:
    odd = Found(UNRECOGNISED)
    assert tables({"a.csv": REVIEW, "b.bin": odd}) == {"data/": []}
    found = group(tree("data/", {"b.bin": odd}))
    assert (found[0].root, found[0].format.classification, found[0].columns) == ("data/", "UNKNOWN", ())


def test_empty_tree_is_no_table() -> None:
    assert group(Folder("data/")) == []


def test_statistics_of_a_sampled_object_are_scaled_to_its_size() -> None:
    sampled = Found(CSV, REVIEW.columns, records=10, record_bytes=50, complete=False)
    statistics = group(tree("data/", {"a.csv": sampled}))[0].statistics
    assert (statistics.objects, statistics.size, statistics.records, statistics.average_record_size) == (1, 100, 20, 5)


def test_objects_left_out_by_sample_size_count_in_the_statistics() -> None:
    folder = tree("data/", {"a.csv": REVIEW})
    folder.unseen.append(S3Object("data/b.csv", 50))
    statistics = group(folder)[0].statistics
    assert (statistics.objects, statistics.size, statistics.records) == (2, 150, 15)


@pytest.mark.parametrize(
    ("paths", "keys", "values"),
    [
        ([("year=2025", "month=1"), ("year=2026", "month=2")], ["year", "month"], [["2025", "1"], ["2026", "2"]]),
        ([("a", "day=1"), ("b", "day=2")], ["partition_0", "day"], [["a", "1"], ["b", "2"]]),
        ([("year=2025",), ("other",)], ["partition_0"], [["year=2025"], ["other"]]),
        ([("year=2025",), ("Month=1",)], ["partition_0"], [["2025"], ["1"]]),
        ([("text=de",)], ["partition_0"], [["de"]]),
        ([("day=1", "day=2")], ["day", "partition_1"], [["1", "2"]]),
        ([("note=a=b",)], ["note"], [["a=b"]]),
    ],
)
def test_partition_keys_and_values(paths: list[tuple[str, ...]], keys: list[str], values: list[list[str]]) -> None:
    assert definition.partition_keys(paths, REVIEW.columns) == keys
    assert [definition.partition_values(path, paths) for path in paths] == values


@pytest.mark.parametrize(
    ("prefix", "root", "name"),
    [
        ("", "data/Customer Reviews/", "customer_reviews"),
        ("raw_", "data/2026-01.csv", "raw_2026_01_csv"),
        ("", "", "my_bucket"),
        ("", "data/year=2025/", "year_2025"),
    ],
)
def test_table_name(prefix: str, root: str, name: str) -> None:
    assert definition.table_name(prefix, Location("my-bucket", "data"), root) == name


def test_table_input_of_json_names_the_paths_and_of_gzip_says_compressed() -> None:
    packed = Found(Format("json", "gzip", serde="openx"), (Column("b", STRING), Column("a", STRING)), 1, 10)
    table: Group = group(tree("data/", {"a.json.gz": packed}))[0]
    storage = definition.table_input("t", table, Location("bucket", "data"), Author("c", "1"))["StorageDescriptor"]
    assert storage["SerdeInfo"]["Parameters"] == {"paths": "a,b"}
    assert (storage["Compressed"], storage["Location"]) == (True, "s3://bucket/data/")


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("*.csv", ["a.csv"], ["x/a.csv", "a.csv.gz"]),
        ("**.csv", ["a.csv", "x/y/a.csv"], ["a.json"]),
        ("x/*", ["x/a"], ["x/y/a", "y/a"]),
        ("x/**", ["x/a", "x/y/a"], ["xy/a"]),
        ("x**", ["x", "x/a", "xy/a"], ["y"]),
        ("*.{csv,avro}", ["a.csv", "a.avro"], ["a.orc"]),
        ("foo.?", ["foo.a"], ["foo.", "foo.ab", "foo./"]),
        ("2015/01/{[!0],0[8-9]}**", ["2015/01/31/a", "2015/01/08/a"], ["2015/01/07/a"]),
        ("a,b", ["a,b"], ["a", "b"]),
        (r"a\*", ["a*"], ["ab"]),
        (r"\{a\}", ["{a}"], ["a"]),
        ("*", [".hidden"], ["a/b"]),
        ("[a-c^]", ["b", "^"], ["d"]),
        ("a.b+(c)", ["a.b+(c)"], ["aab+(c)"]),
    ],
)
def test_exclude_patterns_are_glues(pattern: str, matching: list[str], other: list[str]) -> None:
    expression = glob(pattern)
    assert [key for key in matching + other if expression.fullmatch(key)] == matching


@pytest.mark.parametrize("pattern", ["[abc", "{a,b", "{a,{b,c}}"])
def test_broken_exclude_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|braces"):
        glob(pattern)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/a/b/", Location("bucket", "a/b")),
        ("s3://bucket", Location("bucket", "")),
        ("bucket/a", Location("bucket", "a")),
    ],
)
def test_include_path(path: str, expected: Location) -> None:
    assert Location.parse(path) == expected


@pytest.mark.parametrize("path", ["", "s3://", "https://bucket/a", "s3:///a"])
def test_include_path_without_a_bucket_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not an S3 path"):
        Location.parse(path)


def test_configuration_is_read_and_what_is_not_done_is_named() -> None:
    text = (
        '{"Version": 1.0,'
        ' "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas", "TableLevelConfiguration": 3},'
        ' "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},'
        ' "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"}}, "CreatePartitionIndex": false}'
    )
    assert configuration.grouping_policy(text) == Policy(combine=True, level=3)
    written = configuration.catalog_policy(text, {"UpdateBehavior": "LOG"})
    assert (written.update, written.merge_new_columns, written.inherit) == ("LOG", True, True)
    with pytest.raises(NotImplementedError, match="CreatePartitionIndex true"):
        configuration.parse('{"Version": 1.0, "CreatePartitionIndex": true}')
    with pytest.raises(NotImplementedError, match=r"CrawlerOutput.Tables.TableThreshold"):
        configuration.parse('{"Version": 1.0, "CrawlerOutput": {"Tables": {"TableThreshold": 2}}}')
    for broken in ("{", "[]", "{}", '{"Version": 1.0, "Grouping": {"TableLevelConfiguration": 0}}'):
        with pytest.raises(ValueError, match="Configuration"):
            configuration.parse(broken)
