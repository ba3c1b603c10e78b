"""Every place in S3 that the DAGs read or write; what a job makes for one run goes into a folder of that run."""

from __future__ import annotations

from include.settings import settings

#: a run's id as the name of a folder or file; a template.
RUN = "{{ run_id | replace(':', '') | replace('+', '_') }}"

#: the reviews as they came, and what was noted of them.
RAW = settings.uri("data", "raw/")
ORIGIN = settings.uri("data", "origin.json")

#: the one cleaned table, which everything later reads, and what was noted of it.
REVIEWS = settings.uri("data", "reviews/")
TABLE = settings.uri("data", "table.json")
#: its CSV, for Athena and Clarify. The crawler names the table in the catalog after the folder.
REVIEWS_CSV = settings.uri("data", "transformed", "reviews/")

BALANCED = settings.uri("data", "balanced/")
BALANCED_REVIEWS = settings.uri("data", "balanced", "reviews/")
HUMAN_LABELS = settings.uri("data", "human_labels/")
FEATURE_STORE = settings.uri("feature_store")
MODELS = settings.uri("models", "sentiment/")
PIPELINES = settings.uri("pipelines", "sentiment")

#: where Athena leaves the answers of a run: a folder of its own, so that a retried or parallel run never mixes its
#: answers with another's, and UNLOAD finds it empty.
ANSWERS = settings.uri("athena", RUN)

CHARTS = settings.uri("charts/")
TRANSFORM_REPORT = settings.uri("reports", "transform/")
#: what the bulk ingestion into the Feature Store wrote, a folder for each run.
OFFLINE_REPORTS = settings.uri("reports", "offline_store", RUN)
BIAS = settings.uri("reports", "bias")
AUTOPILOT = settings.uri("reports", "autopilot")
TUNING = settings.uri("reports", "tuning")
#: of the A/B tests: traffic and answers, and reports; a folder for each run.
AB_TRAFFIC, AB_REPORTS = settings.uri("ab_test"), settings.uri("reports", "ab_test")
LEADER_BOARD = settings.uri("reports", "leader_board")
#: a folder for each endpoint, in it one for each deployed model: the picture, and the graph that it was drawn from.
LINEAGE = settings.uri("reports", "lineage")
#: where the leader board looks: a folder for each model.
EVALUATIONS = settings.uri("reports", "models")
#: what people are asked and what they answer, a folder for each run, and its reports.
HUMAN_REVIEW, HUMAN_REVIEW_REPORTS = settings.uri("human_review"), settings.uri("reports", "human_review")
#: of teardown and sweep_idle: what they found and what they did, a folder for each run.
TEARDOWNS, SWEEPS = settings.uri("reports", "teardown"), settings.uri("reports", "sweep")
