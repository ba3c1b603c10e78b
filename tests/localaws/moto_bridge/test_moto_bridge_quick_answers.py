"""moto's answers written by less code: the same as moto's own."""

from __future__ import annotations

from typing import Any

import pytest
import xmltodict
from botocore.utils import parse_to_aware_datetime
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.core.serialize import SERIALIZERS, ResponseSerializer, XFormedAttributePicker
from moto.core.utils import get_service_model

from localaws.moto_bridge import quick_answers
from localaws.moto_bridge.glue_pages import Page

NAMES = st.sampled_from(["Key", "ETag", "Owner", "a-b"])
SCALARS = st.one_of(st.text("<>&\"' \nñ漢x", max_size=8), st.booleans(), st.integers(), st.floats(0, 9), st.none())
TREES = st.recursive(
    st.dictionaries(st.one_of(NAMES, st.sampled_from(["@xmlns", "@xsi:type"])), SCALARS, max_size=4),
    lambda inner: st.dictionaries(NAMES, st.one_of(inner, SCALARS, st.lists(st.one_of(inner, SCALARS), max_size=3))),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, database=None)
@given(TREES, st.booleans(), st.booleans())
def test_xml_is_what_xmltodict_writes(tree: dict[str, Any], prolog: bool, short: bool) -> None:
    options = {"full_document": prolog, "short_empty_elements": short, "pretty": False}
    own, theirs = (writer.unparse({"Root": tree}, **options) for writer in (quick_answers._Xml, xmltodict))
    assert own == theirs


@pytest.mark.parametrize(
    "text",
    [
        *("2024-05-01T10:11:12Z", "2024-05-01T10:11:12.123Z", "2024-05-01T10:11:12", "2024-05-01T10:11:12+02:00"),
        *("2024-05-01", "1714558272", "Wed, 01 May 2024 10:11:12 GMT"),
    ],
)
def test_times_are_read_as_before(text: str) -> None:
    assert quick_answers._time(text) == parse_to_aware_datetime(text)


TABLE = {
    "Name": "t",
    "CreateTime": "2024-05-01T10:11:12Z",
    "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}, {"name": "b"}], "Parameters": {"p": "q"}},
    "unknown": 1,
}


@pytest.mark.parametrize(
    ("service", "operation", "answer"),
    [
        ("glue", "GetTable", {"Table": TABLE}),
        ("glue", "GetTables", {"TableList": [TABLE, TABLE]}),
        (
            "s3",
            "ListObjectsV2",
            {"Contents": [{"Key": "<k>", "Size": 3, "ChecksumAlgorithm": ["CRC32"]}], "KeyCount": 1},
        ),
        ("iam", "ListRoles", {"roles": [{"role_name": "r", "Path": "/", "Tags": [{"Key": "a", "Value": ""}]}]}),
        ("logs", "DescribeLogGroups", {"logGroups": [{"logGroupName": "g", "storedBytes": 0}]}),
    ],
)
def test_members_are_found_by_the_names_that_moto_tries(
    service: str, operation: str, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = get_service_model(service).operation_model(operation)

    def written() -> Any:
        serializer = SERIALIZERS[model.service_model.resolved_protocol](model, value_picker=XFormedAttributePicker())
        return serializer.serialize(answer)["body"]

    monkeypatch.setattr(ResponseSerializer, "get_value", quick_answers._original_value)
    before = written()
    monkeypatch.setattr(ResponseSerializer, "get_value", quick_answers._value)
    assert written() == before
    # The second time the names are known already.
    assert written() == before


def test_a_page_looks_at_no_more_items_than_it_needs() -> None:
    looked: list[int] = []

    def even(item: int) -> bool:
        looked.append(item)
        return item % 2 == 0

    page = Page(start=10, size=3)
    assert page.of(range(1000), even) == [10, 12, 14]
    assert page.end == 16
    assert looked == list(range(10, 17))
    assert Page(start=996, size=3).of(range(1000), even) == [996, 998]
