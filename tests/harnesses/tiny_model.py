"""Writes a tiny Llama of random weights, and a tokenizer trained on made-up sums: `tiny_model.py OUT`.

It is run by an interpreter that has torch and transformers. Nothing is downloaded, and the weights
are the same each time.
"""

import sys

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Joined
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

UNKNOWN, BEGIN, END = SPECIAL = ["<unk>", "<s>", "</s>"]
CHAT = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


def trained():
    """A tokenizer of 512 tokens, with a template for chats."""
    tokenizer = Tokenizer(BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = Joined()
    trainer = BpeTrainer(vocab_size=512, special_tokens=SPECIAL, initial_alphabet=ByteLevel.alphabet())
    sums = [f"What is {a} + {b}? The user has {a + b}." for a in range(40) for b in range(40)]
    tokenizer.train_from_iterator(sums, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=UNKNOWN,
        bos_token=BEGIN,
        eos_token=END,
        chat_template=CHAT,
    )


def drawn():
    """A model of two layers; its weights are wide, so that it answers each question otherwise."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=2,
    )
    return LlamaForCausalLM(config)


if __name__ == "__main__":
    trained().save_pretrained(sys.argv[1])
    drawn().save_pretrained(sys.argv[1])
