"""
What the image ``sagemaker-autopilot`` does here: the children of an AutoML job for text, and its models' server.

One processing job analyses and splits the data (``analyse``), one makes token ids of the texts (``features``), and one
training job for each candidate (:mod:`.kinds`) trains a classifier on top of a BERT encoder.
Whatever its kind, a candidate's model is an encoder, the mean of its token vectors, and a linear layer.
"""
