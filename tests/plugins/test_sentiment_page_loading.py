"""How sections are loaded: once for all who ask, in time, and with the reason where one cannot be read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from sentiment_page_kit import Account

from amazon_ml.exceptions import RequestRefused
from sentiment_page.aws import Aws, NothingYet
from sentiment_page.loading import Found, Loader, explain
from sentiment_page.sections import SECTIONS, Section

SECRET = "User: arn:aws:iam::123456789012:user/me with AKIA123 is not authorized"


def section(read: Callable[[Aws], dict[str, Any]]) -> Section:
    return Section("Title", read, "template")


def loader(**options: Any) -> Loader:
    return Loader(Account.empty().aws, **options)


def refused(code: str) -> Exception:
    error = RequestRefused(f"describe_endpoint(e): {code}: {SECRET}")
    error.__cause__ = ClientError({"Error": {"Code": code, "Message": SECRET}}, "DescribeEndpoint")
    return error


def test_all_who_ask_at_a_time_share_one_read() -> None:
    reads: list[int] = []

    def read(_: Aws) -> dict[str, Any]:
        reads.append(1)
        return {"number": len(reads)}

    async def ask() -> list[Found]:
        found = await asyncio.gather(*(loading.load("a", section(read)) for _ in range(5)))
        return [*found, await loading.load("a", section(read))]

    loading = loader(fresh=60)
    assert [found.data for found in asyncio.run(ask())] == [{"number": 1}] * 6


def test_what_is_old_is_read_again() -> None:
    numbers = iter(range(9))

    async def ask() -> list[Any]:
        return [(await loading.load("a", section(lambda _: {"number": next(numbers)}))).data for _ in range(2)]

    loading = loader(fresh=-1)
    assert asyncio.run(ask()) == [{"number": 0}, {"number": 1}]


def test_a_slow_section_keeps_neither_its_reader_nor_the_others() -> None:
    go_on = threading.Event()

    def slow(_: Aws) -> dict[str, Any]:
        assert go_on.wait(60)
        return {"slow": True}

    async def ask() -> tuple[Found, Found, Found]:
        first, other = await asyncio.gather(
            loading.load("slow", section(slow)), loading.load("other", section(lambda _: {"other": True}))
        )
        go_on.set()
        # It was read on.
        while not (last := await loading.load("slow", section(slow))).data:
            await asyncio.sleep(0.01)
        return first, other, last

    loading = loader(patience=0.2)
    first, other, last = asyncio.run(asyncio.wait_for(ask(), 60))
    assert first == Found(why="AWS has not answered within 0.2 seconds: reload in a moment.")
    assert (other.data, last.data) == ({"other": True}, {"slow": True})


def test_nothing_yet_is_no_fault() -> None:
    def read(_: Aws) -> dict[str, Any]:
        raise NothingYet("There is nothing yet: run it.")

    found = asyncio.run(loader().load("a", section(read)))
    assert found == Found(why="There is nothing yet: run it.", empty=True)


def test_an_unknown_fault_is_told_without_its_message() -> None:
    def read(_: Aws) -> dict[str, Any]:
        raise KeyError(SECRET)

    found = asyncio.run(loader().load("a", section(read)))
    assert found == Found(why="It cannot be read (KeyError): the log of Airflow's API server has the reason.")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused("AccessDenied"), "AWS denies DescribeEndpoint (AccessDenied)"),
        (refused("InvalidClientTokenId"), "AWS does not take the credentials of the connection aws_default"),
        (refused("ThrottlingException"), "AWS refuses DescribeEndpoint (ThrottlingException)"),
        (NoCredentialsError(), "There are no AWS credentials"),
        (EndpointConnectionError(endpoint_url="http://u:pw@host"), "AWS cannot be reached (EndpointConnectionError)"),
        (ReadTimeoutError(endpoint_url="http://u:pw@host"), "AWS cannot be reached (ReadTimeoutError)"),
    ],
)
def test_a_sentence_has_the_remedy_and_no_secrets(error: Exception, said: str) -> None:
    sentence = explain(error)
    assert sentence.startswith(said)
    assert not any(part in sentence for part in ("AKIA", "user/me", "pw@", "\n"))


def test_a_denied_section_leaves_the_others_as_they_are() -> None:
    account = Account.filled()
    account.answers["cloudwatch"] = Account.denied().answers["cloudwatch"]

    async def ask() -> dict[str, Found]:
        loading = Loader(account.aws)
        found = await asyncio.gather(*(loading.load(name, each) for name, each in SECTIONS.items()))
        return dict(zip(SECTIONS, found, strict=True))

    found = asyncio.run(ask())
    assert [name for name in SECTIONS if found[name].data is None] == ["endpoint"]
    assert found["endpoint"].why.startswith("AWS denies list_metrics (AccessDeniedException)")


def test_clients_are_made_once_for_a_while() -> None:
    made: list[Aws] = []

    def make() -> Aws:
        made.append(Account.empty().aws())
        return made[-1]

    async def ask() -> None:
        await asyncio.gather(*(loading.load(f"{number}", section(lambda _: {})) for number in range(8)))

    loading = Loader(make, fresh=-1)
    asyncio.run(ask())
    assert len(made) == 1
