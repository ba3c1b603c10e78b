"""Augmented AI: importing this registers the operations of its resources, which are a module each."""

from __future__ import annotations

from localaws.sagemaker.human_review import flow_definition, human_loop, task_ui

__all__ = ["flow_definition", "human_loop", "task_ui"]
