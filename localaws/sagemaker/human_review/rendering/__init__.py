"""
Rendering worker task templates, in a process of its own.

A template may loop for ever or multiply a string until memory ends, inside one filter too. So the server only waits for
:mod:`~localaws.sagemaker.human_review.rendering.child`, which the kernel ends when it has used its time or memory.
"""
