"""
What the image ``blazingtext`` does here: AWS's built-in algorithm for text, with fastText inside.

No script: hyperparameters and channels say it all. ``mode`` is ``supervised`` (text classification) or one of the
word2vec modes. fastText has no batched skip-gram: ``batch_skipgram`` is trained as ``skipgram``, the same model with
another order of updates, and ``batch_size`` then says nothing.
"""
