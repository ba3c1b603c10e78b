"""A short run of the campaign of malformed requests: the long one is ``python -m benchmarks.malformed``."""

from __future__ import annotations

from front_kit import credentials
from localaws_kit import LocalAws

from benchmarks import malformed


def test_no_malformed_request_meets_a_500_or_a_success(own_localaws: LocalAws) -> None:
    keys = credentials(own_localaws)
    tally = malformed.campaign(own_localaws.url, (keys.access_key, keys.secret_key), number=500, seed=11, names=[])
    assert sum(tally.statuses.values()) > 450
    assert tally.failed == []
    assert tally.accepted == []
