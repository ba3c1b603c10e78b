"""The people of a workforce: the operator that gives somebody an account of a Cognito user pool."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.log import mask_secret

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.cognito import CognitoHook
from amazon_ml.hooks.secrets import SecretsHook
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

#: Cognito's, without those that JSON or a shell would escape.
_SYMBOLS = "!@#%+=._-"
_LENGTH = 20


class WorkerOperator(SageMakerOperator):
    """
    Create a worker's account in a group, or find the existing one.

    The temporary password is handed over once. With ``secret_name`` it is written to that secret of Secrets Manager, as
    JSON ``{"username", "password"}``, before the account is made, so that a killed try loses none. Without, Cognito
    makes it and mails it, and it never is in this process. It is in no log and no XCom. The first sign-in asks for
    another one. An account that is there keeps its password and its secret.

    Returns ``{"username", "created", "secret"}``: ``created`` says whether this try has made the account.

    :param username: the account. Templated.
    :param email_address: where the person is reached. Templated.
    :param user_pool_id: the pool. Templated.
    :param group: to which the account is added, such as that of a work team. Templated.
    :param secret_name: of the secret; "" to have Cognito send an e-mail. Templated.
    :raises RequestRefused: there is an account of that name with another e-mail address, there is no such group, or AWS
        refuses.

    .. seealso:: AdminCreateUser in the Cognito API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "username",
        "email_address",
        "user_pool_id",
        "group",
        "secret_name",
    )

    def __init__(
        self,
        *,
        username: str,
        email_address: str,
        user_pool_id: str | XComArg,
        group: str,
        secret_name: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.username = username
        # Not "email": Airflow would write there when the task fails.
        self.email_address = email_address
        self.user_pool_id = user_pool_id
        self.group = group
        self.secret_name = secret_name

    def execute(self, context: Context) -> dict[str, Any]:
        """Find the account, or create it."""
        cognito, pool = self.hook.sibling(CognitoHook), str(self.user_pool_id)
        found = cognito.find_user(pool, self.username)
        if found is None:
            # A group that is not there would leave an account that no task is for.
            cognito.check_group(pool, self.group)
            created = self._create(cognito, context)
        else:
            created = False
            self._check(found)
        cognito.add_to_group(pool, self.username, self.group)
        self.log.info("%s is %s and in group %s", self.username, "made" if created else "there already", self.group)
        return {"username": self.username, "created": created, "secret": self.secret_name}

    def _check(self, user: Mapping[str, Any]) -> None:
        emails = [str(each["Value"]) for each in user.get("UserAttributes", []) if each["Name"] == "email"]
        if [each.lower() for each in emails] != [str(self.email_address).lower()]:
            raise RequestRefused(
                f"{self.username} is there, with e-mail address {', '.join(emails) or 'none'} and not "
                f"{self.email_address}: give another username, or change the address in Cognito"
            )

    def _create(self, cognito: CognitoHook, context: Context) -> bool:
        handed_over: dict[str, Any] = {"DesiredDeliveryMediums": ["EMAIL"]}
        if self.secret_name:
            pool = cognito.describe_pool(str(self.user_pool_id))
            handed_over = {"TemporaryPassword": self._hand_over(pool, context), "MessageAction": "SUPPRESS"}
        self.check_alive()
        attributes = {"email": self.email_address, "email_verified": "true"}
        return cognito.create_user(str(self.user_pool_id), self.username, attributes, **handed_over)

    def _hand_over(self, pool: Mapping[str, Any], context: Context) -> str:
        """Return the temporary password, which is in the secret: a new one, or that of a try that ended half-way."""
        policy = pool.get("Policies", {}).get("PasswordPolicy", {})
        password = temporary_password(max(_LENGTH, policy.get("MinimumLength", 0)))
        mask_secret(password)
        manager = self.hook.sibling(SecretsHook)
        value = json.dumps({"username": self.username, "password": password})
        labels = self.resource_tags(RunKey.of(context))
        if not manager.create_secret(self.secret_name, value, labels):
            password = self._handed_over(manager)
        self.log.info("The temporary password of %s is in secret %s", self.username, self.secret_name)
        return password

    def _handed_over(self, manager: SecretsHook) -> str:
        """
        Return the password in the secret that is there.

        :raises RequestRefused: the secret is not one of this account.
        """
        found = manager.secret_value(self.secret_name)
        try:
            value = json.loads(found or "")
            username, password = value["username"], str(value["password"])
        except (KeyError, TypeError, ValueError):
            username, password = None, ""
        if username != self.username:
            raise RequestRefused(
                f"Secret {self.secret_name} is there, and not with the password of {self.username}: "
                "give another secret_name, one for each account"
            )
        mask_secret(password)
        return password


def temporary_password(length: int) -> str:
    """Return a random password with a capital, a small letter, a digit and a symbol."""
    kinds = (string.ascii_uppercase, string.ascii_lowercase, string.digits, _SYMBOLS)
    drawn = [secrets.choice(kind) for kind in kinds]
    drawn += [secrets.choice("".join(kinds)) for _ in range(length - len(drawn))]
    secrets.SystemRandom().shuffle(drawn)
    return "".join(drawn)
