"""Augmented AI's worker task templates: the operator that makes the page on which people answer."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amazon_ml.exceptions import RequestRefused
from amazon_ml.hooks.sagemaker import AlreadyExists
from amazon_ml.naming import RunKey
from amazon_ml.operators.base import SageMakerOperator
from amazon_ml.versions import find_version

if TYPE_CHECKING:
    from airflow.sdk import Context


class HumanTaskUiOperator(SageMakerOperator):
    """
    Create a human task UI from a worker task template, or find the one that has this template.

    A UI cannot be changed. The first template gets ``human_task_ui_name``; another template gets that name and a digest
    of the template. The same template gives the same UI again, in whichever run. Nothing is deleted: a UI costs
    nothing, and flow definitions use it.

    Returns ``{"name", "arn"}``.

    :param human_task_ui_name: lower-case letters, digits and hyphens. Templated.
    :param template: Liquid and HTML, or the path of such a file. Not templated by Airflow, since Jinja would fill in
        what is Liquid's.
    :param sample: input of a task, with which AWS renders the template before a UI is made of it. Without, faults that
        show only then fail each human loop.
    :param role_arn: ARN of the role that AWS takes to render it; needed with ``sample``. Templated.
    :raises RequestRefused: the file is not there, or AWS finds a fault in the template.

    .. seealso:: CreateHumanTaskUi in the SageMaker API reference.
    """

    template_fields: Sequence[str] = (
        *SageMakerOperator.template_fields,
        "human_task_ui_name",
        "role_arn",
    )

    def __init__(
        self,
        *,
        human_task_ui_name: str,
        template: str | Path,
        sample: Mapping[str, Any] | None = None,
        role_arn: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if sample is not None and not role_arn:
            raise ValueError("a sample is rendered with a role: give role_arn")
        self.human_task_ui_name = human_task_ui_name
        self.template = str(template)
        self.sample = None if sample is None else dict(sample)
        self.role_arn = role_arn

    def execute(self, context: Context) -> dict[str, str]:
        """Find the UI of this template, or create it."""
        content = self._content()

        def same(found: Mapping[str, Any]) -> bool:
            return found["UiTemplate"].get("ContentSha256") in _digests(content)

        name, found = find_version(self.hook, "HumanTaskUi", self.human_task_ui_name, content, same)
        if found is None:
            self._check(content)
        arn = found["HumanTaskUiArn"] if found else self._create(name, content, context)
        self.note_console("HumanTaskUi", name)
        self.log.info("Human task UI %s %s", name, "has this template already" if found else "is made")
        self.note_data([], [arn])
        return {"name": name, "arn": arn}

    def _check(self, content: str) -> None:
        """
        Have AWS render the template with the sample.

        :raises RequestRefused: AWS finds faults in it.
        """
        if self.sample is None:
            return
        if faults := self.hook.template_faults(content, json.dumps(self.sample), self.role_arn):
            said = "; ".join(f"{each['Code']}: {each['Message']}" for each in faults)
            raise RequestRefused(f"the template of human task UI {self.human_task_ui_name}, with the sample: {said}")

    def _create(self, name: str, content: str, context: Context) -> str:
        request = {
            "HumanTaskUiName": name,
            "UiTemplate": {"Content": content},
            "Tags": self.resource_tags(RunKey.of(context)),
        }
        try:
            return str(self.hook.create("HumanTaskUi", request)["HumanTaskUiArn"])
        except AlreadyExists:
            # By another process in the meantime, or by the call whose answer got lost.
            made = self.hook.require("HumanTaskUi", name)
            if made["UiTemplate"].get("ContentSha256") in _digests(content):
                return str(made["HumanTaskUiArn"])
            raise

    def _content(self) -> str:
        if "<" in self.template:
            return self.template
        try:
            return Path(self.template).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise RequestRefused(f"the template of human task UI {self.human_task_ui_name}: {error}") from error


def _digests(content: str) -> set[str]:
    # AWS documents SHA-256 and not its encoding.
    digest = hashlib.sha256(content.encode())
    return {digest.hexdigest(), base64.b64encode(digest.digest()).decode()}
