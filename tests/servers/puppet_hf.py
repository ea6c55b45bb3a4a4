"""`python -m tests.servers.puppet_hf TEMPLATE OUT NAME...`: puppets as directories for transformers' server.

They are of model_type qwen2, one of those whose calls that server can read. Runs in .servers/transformers.
"""

import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tests.servers.puppet import BEGIN, CONTEXT, END, HEAD, ROPE_BASE, Puppet, build
from tests.servers.scripts import SCRIPTS

LONGEST = 2000  # tokens of an answer: this server's default is a handful


def write_model(puppet: Puppet, out: Path) -> None:
    config = Qwen2Config(
        vocab_size=len(puppet.tokens),
        hidden_size=puppet.width,
        intermediate_size=HEAD,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=HEAD,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        bos_token_id=puppet.tokens.index(BEGIN),
        eos_token_id=puppet.tokens.index(END),
        tie_word_embeddings=False,
    )
    model = Qwen2ForCausalLM(config)
    layer = model.model.layers[0]
    query, key, value, back = puppet.head()
    weights = {
        model.model.embed_tokens: puppet.embedding,
        model.lm_head: puppet.output,
        layer.input_layernorm: puppet.norm(),
        layer.self_attn.q_proj: query,
        layer.self_attn.k_proj: key,
        layer.self_attn.v_proj: value,
        layer.self_attn.o_proj: back,
    }
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.zero_()
        for module, matrix in weights.items():
            module.weight.copy_(torch.from_numpy(matrix))
    model.generation_config.do_sample = False
    model.generation_config.max_new_tokens = LONGEST
    model.save_pretrained(out)


def write_tokenizer(puppet: Puppet, template: str, out: Path) -> None:
    ids = {token: number for number, token in enumerate(puppet.tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in (BEGIN, END)])
    cues = [AddedToken(puppet.tokens[cue], special=False, normalized=False) for cue in puppet.cues]
    tokenizer.add_tokens(cues)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BEGIN, eos_token=END, pad_token=BEGIN, model_max_length=CONTEXT
    )
    fast.chat_template = template
    fast.save_pretrained(out)


def main(template: Path, out: Path, names: list[str]) -> None:
    for name in names:
        puppet = build(SCRIPTS[name])
        write_model(puppet, out / name)
        write_tokenizer(puppet, template.read_text("utf-8"), out / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
