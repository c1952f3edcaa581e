# SPDX-License-Identifier: GPL-3.0-or-later
"""How families whose text Qwen3 reads wrap a prompt: as a chat's one message. Imports nothing."""

from typing import Any

# What Qwen3's own template gives for it. A model folder's, which is a program, is not asked.
_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}"
)


def wrap_prompts(pipeline: Any) -> None:
    """Have a pipeline wrap its prompts so."""
    pipeline.tokenizer.chat_template = _CHAT
