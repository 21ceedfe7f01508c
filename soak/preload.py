"""What the process that lives are forked from has imported; it starts no threads."""

import transformers.models.bert.modeling_bert
import transformers.models.bert.tokenization_bert  # noqa: F401

import consumer.__main__  # noqa: F401
