"""
Augmented AI: worker task templates, flow definitions, human loops and the seats that workers take in them.

:mod:`~localaws.sagemaker.human_review.seats` is what the worker portal calls,
:mod:`~localaws.sagemaker.human_review.sweep` is the reconciler's part.
"""
