"""Prices, estimates and bills, without Airflow."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import botocore.session
import pytest

from include.cost import bill, estimate, prices, spent

#: use -> botocore's list of the instance types for it.
SHAPES = {
    "processing": "ProcessingInstanceType",
    "training": "TrainingInstanceType",
    "hosting": "ProductionVariantInstanceType",
    "transform": "TransformInstanceType",
}


def test_the_table_says_when_where_and_from_which_pages_it_is() -> None:
    table = prices.table()
    date.fromisoformat(table["date"])
    assert table["region"] == "us-east-1"
    assert all(source.startswith("https://aws.amazon.com/") for source in table["sources"].values())
    assert "Check" in table["note"]


def test_every_instance_type_of_the_table_is_one_of_sagemaker_s_for_its_uses() -> None:
    model = botocore.session.get_session().get_service_model("sagemaker")
    known = {use: set(model.shape_for(shape).enum) for use, shape in SHAPES.items()}
    for kind, price in prices.table()["instances"].items():
        assert price["hour"] > 0
        assert all(kind in known[use] for use in price["uses"]), kind


def test_a_larger_instance_of_a_family_costs_more() -> None:
    sizes = ("large", "xlarge", "2xlarge", "4xlarge", "12xlarge")
    hours = [prices.hourly(f"ml.m5.{size}", "training") for size in sizes]
    assert hours == sorted(hours)
    assert hours[1] == pytest.approx(2 * hours[0], rel=0.01)


def test_an_hour_of_two_instances_costs_two_hours() -> None:
    line = bill.instances("train", "training", "ml.m5.2xlarge", 3600, count=2)
    assert line.usd == pytest.approx(2 * 0.461)
    assert line.what == "60.0 min of 2 x ml.m5.2xlarge (training)"


def test_what_has_no_price_is_named_and_not_counted() -> None:
    lines = [bill.instances("a", "training", "ml.m5.xlarge", 3600), bill.instances("b", "hosting", "ml.x9.huge", 3600)]
    assert bill.total(lines) == pytest.approx(0.23)
    assert bill.without_price(lines) == [lines[1]]
    title, *_, last = bill.shown("The run costs", lines)
    assert title == "The run costs: $0.23 and what has no price"
    assert last.endswith("include/data/prices.json has no price of ml.x9.huge for hosting")


def test_a_use_that_the_table_lacks_has_no_price() -> None:
    with pytest.raises(prices.NoPrice, match=r"no price of ml\.c5\.large for training"):
        prices.hourly("ml.c5.large", "training")


@pytest.mark.parametrize(("scanned", "usd"), [(0, 5e-5), (10**7, 5e-5), (10**12, 5.0)])
def test_athena_bills_ten_megabytes_at_least(scanned: int, usd: float) -> None:
    assert prices.query(scanned) == pytest.approx(usd)


def test_a_crawler_is_billed_ten_minutes_at_least() -> None:
    assert prices.crawl(2, 30) == prices.crawl(2, 600) == pytest.approx(2 * 0.44 / 6)
    assert prices.crawl(2, 1800) == pytest.approx(0.44)


@pytest.mark.parametrize(("usd", "text"), [(0, "$0.00"), (0.0116, "$0.0116"), (0.234, "$0.23"), (1234.5, "$1,234.50")])
def test_amounts_read_as_people_write_them(usd: float, text: str) -> None:
    assert bill.dollars(usd) == text


def test_the_training_takes_longer_with_more_epochs_reviews_and_a_larger_model() -> None:
    params = {"epochs": 3, "balance": "undersample", "base_model": "x/all-MiniLM-L6-v2", "max_epoch_rows": 7500}

    def work(reviews: int = 20_000, kind: str = "ml.m5.2xlarge", **changed: object) -> float:
        overhead: float = estimate.assumed()["overhead_seconds"]
        return estimate.training_seconds(kind, {**params, **changed}, reviews) - overhead

    assert work() == pytest.approx(3 * 20_000 * 0.26 / 75)
    assert work(epochs=6) == pytest.approx(2 * work())
    assert work(200_000) == pytest.approx(10 * work())
    assert work(base_model="roberta-base") == pytest.approx(8 * work())
    assert work(kind="ml.g5.xlarge") == pytest.approx(work() / 8)
    assert work(balance="oversample") == pytest.approx(3 * 7500 / 75)
    assert work(balance="none") > work()


def test_an_unknown_job_takes_what_is_assumed_of_all() -> None:
    assert estimate.processing_seconds("my_own", 1000) == pytest.approx(180.5)
    assert estimate.processing_seconds("compile", 1000) == pytest.approx(182)


def test_autopilot_is_bounded_by_the_time_for_a_candidate() -> None:
    assert estimate.autopilot("tune", 3, 60).what.startswith("3 x 1.0 min")
    assert estimate.autopilot("tune", 3, 10_000).what.startswith("3 x 10.0 min")


def job(kind: str = "ml.m5.xlarge", count: int = 1, **more: object) -> dict[str, object]:
    return {"ResourceConfig": {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 30}, **more}


def test_training_is_billed_by_its_billable_seconds_and_by_kind_of_instance() -> None:
    spot = job(BillableTimeInSeconds=900, TrainingTimeInSeconds=3600)
    lines = spent.training(
        "train", [spot, job(BillableTimeInSeconds=900), job("ml.g5.xlarge", 2, BillableTimeInSeconds=1800)]
    )
    assert [line.what for line in lines] == [
        "2 jobs: 30.0 min of ml.m5.xlarge (training)",
        "30.0 min of 2 x ml.g5.xlarge (training)",
    ]
    assert [line.usd for line in lines] == pytest.approx([0.115, 1.408])


def test_processing_is_billed_from_its_start_to_its_end_and_not_before_it_starts() -> None:
    machines = {"ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}}}
    start = datetime(2026, 11, 30, 10, tzinfo=UTC)
    ran = {**machines, "ProcessingStartTime": start, "ProcessingEndTime": start + timedelta(minutes=6)}
    (line,) = spent.processing("features", [ran, machines])
    assert line.usd == pytest.approx(0.023)


def test_a_query_is_billed_by_what_it_scanned() -> None:
    line = spent.query("ask", {"QueryExecution": {"Statistics": {"DataScannedInBytes": 2 * 10**11}}})
    assert line.what == "a query of 200000.0 MB"
    assert line.usd == pytest.approx(1.0)


def test_a_transform_job_is_billed_for_all_of_its_instances() -> None:
    machines = {"TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3}}
    start = datetime(2026, 11, 30, 10, tzinfo=UTC)
    ran = {**machines, "TransformStartTime": start, "TransformEndTime": start + timedelta(minutes=10)}
    (line,) = spent.transform("score", [ran])
    assert line.what == "10.0 min of 3 x ml.m5.xlarge (transform)"
    assert line.usd == pytest.approx(0.115)
