"""`python -m tests.servers.puppet TEMPLATES OUT`: models that say what a script says, for real model servers.

A puppet is a Llama of one layer whose weights are written by hand, so that a real server, with a model family's
real chat template, emits exactly the text that the family's real model might, and its real parser reads that:

- The vocabulary is the 256 bytes, in which all prompts are read, and the scripts cut into unique pieces. Tokens and
  dimensions are the same thing: a token's embedding is 1 in its own dimension (and in the last one, a constant).
- The output matrix names each piece's successor. The first one follows `start`, the byte that the template ends with.
- A cue is a text that is a token by itself. The one attention head looks for cues, wherever they are: it copies the
  latest of the script's cues that the prompt holds into the cue's dimension. That makes the cue's text win at `start`,
  and there only. So a puppet answers a tool's result with the next text, if the result really came back to it.
"""

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from tests.servers.scripts import SCRIPTS, Script

HEAD = 64  # dimensions of the one attention head
STILL = 62  # a dimension of the head that its position hardly turns, with ROPE_BASE
ROPE_BASE = 1e30
SHARP = 320.0  # what the query holds: a cue outweighs exp(SHARP / sqrt(HEAD)) = e^40 other tokens
CONTEXT = 32768
END = "<|im_end|>"
BEGIN = "<|endoftext|>"

Matrix = Any  # an array of float32: numpy is not there where types are checked


def _letters() -> list[str]:
    """The letter that GPT-2's vocabulary writes for each byte, so that every token is printable."""
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


LETTERS = _letters()


def spelled(data: bytes) -> str:
    return "".join(LETTERS[byte] for byte in data)


def cut(text: bytes, used: set[bytes], shortest: int = 3) -> list[bytes]:
    """`text` in pieces that are not in `used`, to which they are added. Cuts may be in the middle of a character."""
    pieces: list[bytes] = []
    while text:
        size = shortest
        while text[:size] in used and size < len(text):
            size += 1
        piece = text[:size] if len(text) - size > 1 else text  # a single byte is a token already
        text = text[len(piece) :]
        while piece in used:  # at the end only, where it cannot grow forwards
            piece = pieces.pop() + piece
        used.add(piece)
        pieces.append(piece)
    return pieces


@dataclass(frozen=True, slots=True)
class Puppet:
    """A vocabulary and the weights. `kinds` are GGUF's: 1 normal, 3 control, 4 user defined."""

    tokens: list[str]
    kinds: list[int]
    cues: list[int]
    embedding: Matrix
    output: Matrix

    @property
    def width(self) -> int:
        return int(self.embedding.shape[1])

    def head(self) -> tuple[Matrix, Matrix, Matrix, Matrix]:
        """The matrices of query, key, value and attention's output. A later cue outweighs an earlier one."""
        query, key, value = (np.zeros((HEAD, self.width), np.float32) for _ in range(3))
        back = np.zeros((self.width, HEAD), np.float32)
        query[STILL, -1] = SHARP
        for rank, cue in enumerate(self.cues):
            key[STILL, cue] = rank + 1
            value[rank, cue] = back[cue, rank] = 1
        return query, key, value, back

    def norm(self) -> Matrix:
        """Undoes what the norm does to an embedding, which holds two ones."""
        return np.full(self.width, (2 / self.width) ** 0.5, np.float32)


def build(script: Script) -> Puppet:
    used: set[bytes] = set()
    texts = [cut(text.encode(), used) for text in script.says]
    tokens = [*LETTERS, BEGIN, END, *script.cues, *map(spelled, (piece for text in texts for piece in text))]
    kinds = [1] * 256 + [3, 3] + [4] * len(script.cues) + [1] * (len(tokens) - 258 - len(script.cues))
    ids = {token: number for number, token in enumerate(tokens)}
    cues = [ids[cue] for cue in script.cues]
    width = -(-(len(tokens) + 1) // HEAD) * HEAD

    embedding = np.eye(len(tokens), width, dtype=np.float32)
    embedding[:, -1] = 1
    output = np.zeros((len(tokens), width), np.float32)
    output[ids[END], -1] = 2  # after a token that no script holds
    start = ids[spelled(script.start.encode())]
    for number, text in enumerate(texts):
        chain = [ids[spelled(piece)] for piece in text]
        output[chain[0], start] = 9 if number else 10
        if number:
            output[chain[0], cues[number - 1]] = 5  # 9 + 5 beats 10 at `start`; 5 beats no other successor
        for before, after in pairwise([*chain, chain[0] if script.endless else ids[END]]):
            output[after, before] = 10
    return Puppet(tokens, kinds, cues, embedding, output)


def write_gguf(puppet: Puppet, template: str, path: Path) -> None:
    """The puppet as a file for llama.cpp."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(puppet.width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(HEAD)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(len(puppet.tokens))
    writer.add_file_type(0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(puppet.tokens)
    writer.add_token_types(puppet.kinds)
    writer.add_token_merges([f"{LETTERS[0]} {LETTERS[1]}"])  # there must be one
    writer.add_bos_token_id(puppet.tokens.index(BEGIN))
    writer.add_eos_token_id(puppet.tokens.index(END))
    writer.add_add_bos_token(False)
    writer.add_chat_template(template)
    for name, weights in _tensors(puppet).items():
        writer.add_tensor(f"{name}.weight", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(puppet: Puppet) -> dict[str, Matrix]:
    query, key, value, back = puppet.head()
    nothing = np.zeros((HEAD, puppet.width), np.float32)
    return {
        "token_embd": puppet.embedding,
        "output_norm": np.ones(puppet.width, np.float32),
        "output": puppet.output,
        "blk.0.attn_norm": puppet.norm(),
        "blk.0.attn_q": query,
        "blk.0.attn_k": key,
        "blk.0.attn_v": value,
        "blk.0.attn_output": back,
        "blk.0.ffn_norm": np.ones(puppet.width, np.float32),
        "blk.0.ffn_gate": nothing,
        "blk.0.ffn_up": nothing,
        "blk.0.ffn_down": np.ascontiguousarray(nothing.T),
    }


def main(templates: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, script in SCRIPTS.items():
        template = (templates / f"{script.template}.jinja").read_text("utf-8")
        write_gguf(build(script), template, out / f"{name}.gguf")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
