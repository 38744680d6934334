"""Sequence Tutor: KL-control fine-tuning of pre-trained LSTMs on TensorFlow."""
