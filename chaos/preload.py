"""Modules that the server of consumer processes imports before it forks; none starts a thread."""

import transformers.models.bert.modeling_bert
import transformers.models.bert.tokenization_bert  # noqa: F401

import consumer.learn  # noqa: F401
