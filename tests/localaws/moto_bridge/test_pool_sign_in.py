"""What ends by itself at a user pool, with a clock of the test's own."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.cognitoidp.exceptions import NotAuthorizedError
from moto.cognitoidp.models import CognitoIdpBackend, cognitoidp_backends

from localaws.moto_bridge import pool_rules, pool_sign_in, user_pools
from localaws.moto_bridge.pool_keys import of_home

TEMPORARY = "Temporary-horse-1"
PASSWORD = "Correct-horse-1"
DAY = 24 * 3600


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass."""
    real = time.time

    def pass_by(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return pass_by


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A user pool of moto's with our rules, and a user with a temporary password."""
    pool_rules.install()
    pool_sign_in.install(of_home(tmp_path))
    monkeypatch.setattr(pool_sign_in, "_limits", [])
    backend: CognitoIdpBackend = cognitoidp_backends["123456789012"]["us-east-1"]
    made = backend.create_user_pool("people", {"Policies": {"PasswordPolicy": {"TemporaryPasswordValidityDays": 2}}})
    backend.admin_create_user(made.id, "ann", "SUPPRESS", TEMPORARY, [])
    yield made
    del backend.user_pools[made.id]


def sign_in(pool: Any, password: str) -> tuple[str, Any]:
    backend = pool.backend
    client = backend.create_user_pool_client(pool.id, False, {"ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"]})
    login = {"USERNAME": "ann", "PASSWORD": password}
    return client.id, backend.initiate_auth(client.id, "USER_PASSWORD_AUTH", login)


def test_a_temporary_password_ends_after_the_pools_days(pool: Any, later: Callable[[float], None]) -> None:
    later(2 * DAY - 60)
    assert sign_in(pool, TEMPORARY)[1]["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    assert user_pools.user(pool.id, "ann").temporary_ended is False  # type: ignore[union-attr]
    later(2 * DAY + 60)
    with pytest.raises(NotAuthorizedError, match="Temporary password has expired"):
        sign_in(pool, TEMPORARY)
    assert user_pools.user(pool.id, "ann").temporary_ended is True  # type: ignore[union-attr]


def test_a_new_temporary_password_has_its_days_again(pool: Any, later: Callable[[float], None]) -> None:
    later(3 * DAY)
    pool.backend.admin_set_user_password(pool.id, "ann", "Another-horse-1", False)
    assert sign_in(pool, "Another-horse-1")[1]["ChallengeName"] == "NEW_PASSWORD_REQUIRED"


def test_a_password_of_the_users_own_does_not_end(pool: Any, later: Callable[[float], None]) -> None:
    pool.backend.admin_set_user_password(pool.id, "ann", PASSWORD, True)
    later(1000 * DAY)
    assert "AuthenticationResult" in sign_in(pool, PASSWORD)[1]


@pytest.mark.parametrize("seconds", [170, 190])
def test_a_challenge_has_to_be_answered_in_three_minutes(
    pool: Any, later: Callable[[float], None], seconds: float
) -> None:
    client, asked = sign_in(pool, TEMPORARY)
    later(seconds)
    answer = {"USERNAME": "ann", "NEW_PASSWORD": PASSWORD}
    request = (asked["Session"], client, "NEW_PASSWORD_REQUIRED", answer)
    if seconds < 180:
        assert "IdToken" in pool.backend.respond_to_auth_challenge(*request)["AuthenticationResult"]
    else:
        with pytest.raises(NotAuthorizedError, match="session is expired"):
            pool.backend.respond_to_auth_challenge(*request)
