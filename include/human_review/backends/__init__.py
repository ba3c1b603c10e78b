"""
Who asks people: Augmented AI, Airflow's own forms, or a Label Studio server. One interface, see :mod:`.base`.

Each back end takes the same items and leaves the same answers, so nothing after them knows which one it was. Another
one is a module with a class of that interface, and an instance of it in ``BACKENDS``.
"""

from __future__ import annotations

from include.human_review.backends.a2i import AugmentedAi
from include.human_review.backends.airflow_forms import AirflowForms
from include.human_review.backends.base import Backend
from include.human_review.backends.label_studio import LabelStudioProjects

#: by the name that the param ``review_backend`` takes.
BACKENDS: dict[str, Backend] = {each.name: each for each in (AugmentedAi(), AirflowForms(), LabelStudioProjects())}
