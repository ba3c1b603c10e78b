"""What the crawler makes of bytes: formats, headers, types. No server: objects stand in a dictionary."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
import io
import json
import re
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from localaws.glue.crawling import json_format, types
from localaws.glue.crawling.classify import BUILT_IN, classify, custom
from localaws.glue.crawling.sampling import SAMPLE_BYTES, ObjectReader
from localaws.glue.crawling.schema import LAZY_SIMPLE, OPEN_CSV, Found


class Body(io.BytesIO):
    def iter_chunks(self, size: int) -> Any:
        return iter(lambda: self.read(size), b"")


class Objects:
    """As much of an S3 client as the reader needs; remembers how many bytes it gave out."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.served = 0

    def get_object(self, *, Bucket: str, Key: str, Range: str | None = None) -> dict[str, Any]:
        start, end = (int(part) for part in Range.removeprefix("bytes=").split("-")) if Range else (0, len(self.data))
        part = self.data[start : end + 1]
        self.served += len(part)
        return {"Body": Body(part)}


def crawl(data: bytes | str, **classifier: Any) -> Found:
    data = data.encode() if isinstance(data, str) else data
    chosen = [custom({kind: settings}) for kind, settings in classifier.items()]
    return classify(ObjectReader(Objects(data), "bucket", "key", len(data)), [*chosen, *BUILT_IN])


def schema(found: Found) -> list[tuple[str, str]]:
    return [(column.name, str(column.type)) for column in found.columns]


def parameter(found: Found, name: str) -> str | None:
    return dict(found.format.parameters).get(name)


def test_csv_with_header_is_typed_bigint_double_boolean_string() -> None:
    found = crawl("Id,Price,Fresh,Name,Blank\n1,2.5,true,a,\n-2,3,False,b,\n")
    assert found.format.classification == "csv"
    assert found.format.serde == LAZY_SIMPLE
    assert schema(found) == [
        ("id", "bigint"),
        ("price", "double"),
        ("fresh", "boolean"),
        ("name", "string"),
        ("blank", "string"),
    ]
    assert parameter(found, "skip.header.line.count") == "1"
    assert (found.records, parameter(found, "delimiter")) == (2, ",")


def test_csv_of_strings_only_has_no_header_without_a_classifier() -> None:
    found = crawl("name,town\nanna,berlin\nbert,paris\n")
    assert schema(found) == [("col0", "string"), ("col1", "string")]
    assert parameter(found, "skip.header.line.count") is None
    assert found.records == 3


def test_csv_of_numbers_only_has_no_header() -> None:
    assert schema(crawl("1,2\n3,4\n")) == [("col0", "bigint"), ("col1", "bigint")]


@pytest.mark.parametrize("delimiter", [",", "|", "\t", ";", "\x01"])
def test_csv_delimiter_is_found(delimiter: str) -> None:
    found = crawl(f"a{delimiter}b\n1{delimiter}x\n2{delimiter}y\n")
    assert schema(found) == [("a", "bigint"), ("b", "string")]
    assert dict(found.format.serde_parameters) == {"field.delim": delimiter}


def test_csv_delimiter_inside_quotes_and_in_text_does_not_mislead() -> None:
    found = crawl('id;text\n1;"well, this; is, odd"\n2;"so, too"\n')
    assert parameter(found, "delimiter") == ";"
    assert schema(found) == [("id", "bigint"), ("text", "string")]


def test_csv_records_may_hold_line_breaks_in_quotes() -> None:
    found = crawl('id,text\r\n1,"one\r\ntwo\nthree"\r\n2,"a ""quoted"" word"\r\n')
    assert schema(found) == [("id", "bigint"), ("text", "string")]
    assert found.records == 2


def test_csv_with_quotes_is_warned_about_where_the_serde_does_not_understand_them() -> None:
    assert any("OpenCSVSerDe" in note for note in crawl('id,text\n1,"a, b"\n2,c\n').notes)
    assert not crawl("id,text\n1,a\n2,c\n").notes


REVIEWS = 'sentiment,review_body,product_category\n1,"So ""good"" it is",Dresses\n-1,bad,Knits\n0,"",Knits\n'
REVIEWS_CLASSIFIER = {
    "Name": "reviews",
    "Delimiter": ",",
    "QuoteSymbol": '"',
    "ContainsHeader": "PRESENT",
    "Serde": "OpenCSVSerDe",
}


def test_csv_classifier_names_header_quote_and_serde() -> None:
    found = crawl(REVIEWS, CsvClassifier=REVIEWS_CLASSIFIER)
    assert schema(found) == [("sentiment", "bigint"), ("review_body", "string"), ("product_category", "string")]
    assert found.format.serde == OPEN_CSV
    assert dict(found.format.serde_parameters) == {"quoteChar": '"', "separatorChar": ","}
    assert parameter(found, "skip.header.line.count") == "1"
    assert parameter(found, "areColumnsQuoted") == "true"


def test_csv_classifier_header_present_takes_strings_as_names() -> None:
    found = crawl("name,town\nanna,berlin\n", CsvClassifier={"Name": "c", "ContainsHeader": "PRESENT"})
    assert schema(found) == [("name", "string"), ("town", "string")]


def test_csv_classifier_header_absent_keeps_the_first_row_and_takes_given_names() -> None:
    settings = {"Name": "c", "ContainsHeader": "ABSENT", "Header": ["Word", "Number"]}
    found = crawl("a,1\nb,2\n", CsvClassifier=settings)
    assert schema(found) == [("word", "string"), ("number", "bigint")]
    assert found.records == 2


def test_csv_classifier_single_column_only_where_allowed() -> None:
    text = "word\nalpha\nbeta\n"
    assert crawl(text, CsvClassifier={"Name": "c", "ContainsHeader": "PRESENT"}).format.classification == "UNKNOWN"
    settings = {"Name": "c", "ContainsHeader": "PRESENT", "AllowSingleColumn": True}
    assert schema(crawl(text, CsvClassifier=settings)) == [("word", "string")]


@pytest.mark.parametrize(
    ("disable_trimming", "kind"),
    [(True, "string"), (False, "bigint")],
)
def test_csv_classifier_trims_values_where_told(disable_trimming: bool, kind: str) -> None:
    settings = {"Name": "c", "ContainsHeader": "PRESENT", "DisableValueTrimming": disable_trimming}
    assert schema(crawl("a,b\n1, 2\n3, 4\n", CsvClassifier=settings)) == [("a", "bigint"), ("b", kind)]


def test_csv_classifier_serde_none_follows_the_quote() -> None:
    base = {"Name": "c", "ContainsHeader": "PRESENT", "Serde": "None"}
    assert crawl("a,b\n1,2\n", CsvClassifier=base).format.serde == LAZY_SIMPLE
    assert crawl("a,b\n1,2\n", CsvClassifier={**base, "QuoteSymbol": "'"}).format.serde == OPEN_CSV


def test_csv_classifier_that_does_not_fit_leaves_it_to_the_built_in_ones() -> None:
    found = crawl("a,b\n1,2\n", CsvClassifier={"Name": "c", "Delimiter": "|"})
    assert (parameter(found, "delimiter"), found.format.serde) == (",", LAZY_SIMPLE)


def test_csv_repeated_and_blank_header_names_become_distinct() -> None:
    settings = {"Name": "c", "ContainsHeader": "PRESENT"}
    assert [name for name, _ in schema(crawl("a,A,,b\n1,2,3,4\n", CsvClassifier=settings))] == ["a", "a_1", "col2", "b"]


def test_csv_record_longer_than_the_sample_is_read_nonetheless() -> None:
    review = "long " * (SAMPLE_BYTES // 4)
    found = crawl(f'id,text\n1,"{review}"\n2,short\n3,short\n')
    assert schema(found) == [("id", "bigint"), ("text", "string")]


def test_csv_emoji_right_to_left_and_nul_are_text() -> None:
    found = crawl("id,text\n1,שלום 👗\n2,a\x00b\n")
    assert schema(found) == [("id", "bigint"), ("text", "string")]


def test_csv_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert schema(crawl(b"\xef\xbb\xbfid,text\n1,a\n"))[0] == ("id", "bigint")


def test_csv_whole_numbers_beyond_64_bits_are_double() -> None:
    assert schema(crawl(f"a,b\n{2**63 - 1},{2**63}\n1,2\n")) == [("a", "bigint"), ("b", "double")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"one,row,only", "not CSV"),
        (b"just a sentence\nand another one, with a comma\nand more\n", "not CSV"),
        (b"id,text\n1,caf\xe9\n2,b\n", "not UTF-8: byte 0xe9 at offset 13"),
        ("id,text\n1,a\n".encode("utf-16"), "not UTF-8"),
        (bz2.compress(b"a,b\n1,2\n"), "bzip2"),
        (gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-20], "broken gzip"),
        (b"PAR1" + b"x" * 100, "broken Parquet"),
        (b"PAR1" + b"x" * 100 + (50).to_bytes(4, "little") + b"PAR1", "broken Parquet"),
        (b'{"a": 1}\n{"a": \n', "not JSON"),
        (b"[1, 2", "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "too deeply"),
    ],
)
def test_what_cannot_be_read_is_unknown_and_says_why(data: bytes, reason: str) -> None:
    found = crawl(data)
    assert found.format.classification == "UNKNOWN"
    assert found.columns == ()
    assert any(reason in note for note in found.notes), found.notes


def test_gzip_is_recognised_and_only_a_sample_is_unpacked() -> None:
    data = gzip.compress(b"id,text\n" + b"1,word\n" * 3_000_000)
    objects = Objects(data)
    found = classify(ObjectReader(objects, "bucket", "key", len(data)), BUILT_IN)
    assert (found.format.compression, schema(found)) == ("gzip", [("id", "bigint"), ("text", "string")])
    assert found.record_bytes <= SAMPLE_BYTES


def test_gzip_of_several_members_is_read_as_one() -> None:
    assert crawl(gzip.compress(b"a,b\n1,x\n") + gzip.compress(b"2,y\n")).records == 2


def test_large_object_is_only_sampled() -> None:
    data = b"id,text\n" + b"1,word\n" * 2_000_000
    objects = Objects(data)
    found = classify(ObjectReader(objects, "bucket", "key", len(data)), BUILT_IN)
    assert schema(found) == [("id", "bigint"), ("text", "string")]
    assert objects.served < 4 * SAMPLE_BYTES


def test_json_lines_are_typed_int_bigint_double_boolean_string_and_nested() -> None:
    lines = [
        {"Id": 1, "big": 2**40, "price": 1, "ok": True, "name": "a", "tags": ["x"], "geo": {"Lat": 1.5}, "none": None},
        {"Id": 2, "big": 2, "price": 1.5, "ok": False, "name": None, "tags": [], "geo": {"lon": 2}, "extra": "late"},
    ]
    found = crawl("\n".join(json.dumps(line) for line in lines))
    assert found.format.classification == "json"
    assert schema(found) == [
        ("id", "int"),
        ("big", "bigint"),
        ("price", "double"),
        ("ok", "boolean"),
        ("name", "string"),
        ("tags", "array<string>"),
        ("geo", "struct<Lat:double,lon:int>"),
        ("none", "string"),
        ("extra", "string"),
    ]
    assert found.records == 2


def test_json_values_of_mixed_kinds_are_strings() -> None:
    assert schema(crawl('{"a": 1}\n{"a": "x"}\n{"a": {"b": 1}}')) == [("a", "string")]


def test_json_array_is_one_column_without_a_classifier_and_records_with_one() -> None:
    text = '[{"a": 1},\n {"a": 2, "b": "x"}]'
    assert schema(crawl(text)) == [("array", "array<struct<a:int,b:string>>")]
    found = crawl(text, JsonClassifier={"Name": "j", "JsonPath": "$[*]"})
    assert schema(found) == [("a", "int"), ("b", "string")]
    assert (found.records, parameter(found, "jsonPath")) == (2, "$[*]")


def test_json_array_larger_than_the_sample_is_read_from_its_beginning() -> None:
    data = json.dumps([{"a": number} for number in range(200_000)])
    assert len(data) > SAMPLE_BYTES
    assert schema(crawl(data, JsonClassifier={"Name": "j", "JsonPath": "$[*]"})) == [("a", "int")]


@pytest.mark.parametrize("path", ["$.data.rows[*]", "$['data']['rows'][0]", "$.*.rows[*]"])
def test_json_path_points_at_the_records(path: str) -> None:
    found = crawl('{"data": {"rows": [{"a": 1}, {"a": 2}]}}', JsonClassifier={"Name": "j", "JsonPath": path})
    assert schema(found) == [("a", "int")]


def test_json_path_without_objects_leaves_it_to_the_built_in_classifier() -> None:
    found = crawl('{"rows": [1, 2]}', JsonClassifier={"Name": "j", "JsonPath": "$.rows[*]"})
    assert schema(found) == [("rows", "array<int>")]


@pytest.mark.parametrize("path", ["data", "$..a", "$[?(@.a>1)]", "$.a[1:2]", "$."])
def test_json_path_that_is_not_understood_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=re.escape(path)):
        json_format.parse_path(path)


def test_parquet_schema_is_read_from_the_footer_alone() -> None:
    table = pa.table(
        {
            "Tiny": pa.array([1], pa.int8()),
            "whole": pa.array([1], pa.int32()),
            "big": pa.array([1], pa.int64()),
            "half": pa.array([1.5], pa.float32()),
            "flag": pa.array([True]),
            "text": pa.array(["x"]),
            "blob": pa.array([b"x"]),
            "day": pa.array([datetime.date(2026, 1, 1)]),
            "moment": pa.array([datetime.datetime(2026, 1, 1)], pa.timestamp("us")),
            "money": pa.array([decimal.Decimal("1.25")], pa.decimal128(10, 2)),
            "tags": pa.array([["a"]]),
            "geo": pa.array([{"lat": 1.5, "names": ["x"]}]),
            "counts": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
            "kind": pa.array(["x"]).dictionary_encode(),
            "noise": pa.array([b"0" * 400_000]),
        }
    )
    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="none", use_dictionary=False, write_statistics=False)
    objects = Objects(buffer.getvalue())
    found = classify(ObjectReader(objects, "bucket", "key", len(buffer.getvalue())), BUILT_IN)
    assert found.format.classification == "parquet"
    assert schema(found)[:-1] == [
        ("tiny", "tinyint"),
        ("whole", "int"),
        ("big", "bigint"),
        ("half", "float"),
        ("flag", "boolean"),
        ("text", "string"),
        ("blob", "binary"),
        ("day", "date"),
        ("moment", "timestamp"),
        ("money", "decimal(10,2)"),
        ("tags", "array<string>"),
        ("geo", "struct<lat:double,names:array<string>>"),
        ("counts", "map<string,bigint>"),
        ("kind", "string"),
    ]
    assert found.records == 1
    assert objects.served < 100_000 < len(buffer.getvalue())


@pytest.mark.parametrize(
    ("one", "other", "merged"),
    [
        ("bigint", "double", "double"),
        ("int", "bigint", "bigint"),
        ("boolean", "bigint", "string"),
        ("date", "date", "date"),
        ("date", "timestamp", "string"),
    ],
)
def test_types_widen_or_become_strings(one: str, other: str, merged: str) -> None:
    first, second = types.Primitive(one), types.Primitive(other)
    assert str(types.merge(first, second)) == str(types.merge(second, first)) == merged
    assert types.merge(first, types.UNKNOWN) == types.merge(types.UNKNOWN, first) == first
