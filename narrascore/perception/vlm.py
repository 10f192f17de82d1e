"""The frozen vision-language model: it sees pictures, reads them in turn with their clocks, and answers (paper 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import DynamicCache, Qwen2Tokenizer, VideoLlama3ForConditionalGeneration

from narrascore.errors import InputError, UsageError
from narrascore.perception.pixels import FRAME_PIXELS, MERGE, PATCH_PIXELS, frame_size, to_patches
from narrascore.perception.prompts import END_OF_TEXT, END_OF_TURN, LATEST_SECONDS, film_strip, question
from narrascore.perception.vlm_checkpoint import licence, load_model, load_tokenizer, witness

TRAINED_TOKENS = 16_384
"""The longest context that VideoLLaMA3 was trained on."""

Picture = tuple[float, NDArray[np.uint8]]
"""Film time in seconds, and `[h, w, 3]` uint8 RGB."""


class FrozenVLM(nn.Module):
    """VideoLLaMA3 in three steps, none of which is ever trained: see a picture, read on, answer.

    Reading goes on where a cache ends. Attention is causal, so a film read piece by piece gives the states that it
    would give as a whole.

    Attributes:
        context_tokens: the most tokens that may stand in one cache.
        image_mark: the token that stands in the text for each visual token.
    """

    def __init__(
        self,
        model: VideoLlama3ForConditionalGeneration,
        tokenizer: Qwen2Tokenizer,
        origin: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.tokenizer, self.origin = model, tokenizer, origin or {}
        self.context_tokens = min(TRAINED_TOKENS, int(model.config.text_config.max_position_embeddings))
        self.image_mark = str(tokenizer.convert_ids_to_tokens(model.config.image_token_id) or "")
        if self._tokenise(self.image_mark).tolist() != [model.config.image_token_id]:
            raise InputError(
                f"VideoLLaMA3 tokenizer: no token {model.config.image_token_id}, which stands for pictures in this "
                "checkpoint; the tokenizer is another model's"
            )
        self._ends = {int(self._tokenise(mark)[0]) for mark in (END_OF_TURN, END_OF_TEXT)}
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def from_pretrained(
        cls,
        folder: str | Path,
        *,
        dtype: torch.dtype = torch.bfloat16,
        device: str = "cpu",
        name: str | None = None,
        revision: str | None = None,
    ) -> FrozenVLM:
        """Load a checkpoint folder, the library's own (`video_llama_3`) or DAMO's (`videollama3_qwen2`).

        Args:
            folder: on this machine.
            dtype: of all weights; bfloat16 is what the checkpoints hold.
            device: `cpu`, `cuda`, ...
            name: for the manifest, such as the hub's id; the folder's own by default.
            revision: for the manifest; a digest of the files by default.

        Raises:
            InputError: if the folder holds no such model.
        """
        folder = Path(folder)
        model, tokenizer = load_model(folder, dtype), load_tokenizer(folder)
        origin = {
            "vlm": name or folder.name,
            "revision": revision or witness(folder),
            "licence": licence(folder),
            "dtype": str(dtype).removeprefix("torch."),
        }
        return cls(model.to(device), tokenizer, origin)

    def train(self, mode: bool = True) -> FrozenVLM:
        """Stays in evaluation mode."""
        return super().train(False)

    @property
    def width(self) -> int:
        """D."""
        return int(self.model.config.text_config.hidden_size)

    def describe(self) -> dict[str, str]:
        """For the manifest."""
        return dict(self.origin)

    @torch.no_grad()
    def see(self, image: NDArray[np.uint8], size: tuple[int, int]) -> Tensor:
        """Send one picture through the vision tower and the projector.

        Args:
            image: `[h, w, 3]` uint8 RGB.
            size: (height, width) that it is scaled to, as `frame_size` gives it.

        Returns:
            Its visual tokens `[M, D]`.
        """
        grid = [[1, size[0] // PATCH_PIXELS, size[1] // PATCH_PIXELS]]
        seen = self.model.model.get_image_features(
            pixel_values=to_patches(image, size).to(self.model.device),
            image_grid_thw=torch.tensor(grid, device=self.model.device),
            image_merge_sizes=torch.tensor([MERGE], device=self.model.device),
        )
        tokens: Tensor = seen.pooler_output[0]
        return tokens

    def begin(self, text: str) -> DynamicCache:
        """Read what stands before the film; returns the cache in which `read` goes on."""
        cache = DynamicCache(config=self.model.config.text_config)
        self._run(self._tokenise(text), [], cache)
        return cache

    def read(
        self, seconds: Sequence[float], frames: Sequence[Tensor], cache: DynamicCache, *, first: bool = True
    ) -> Tensor:
        """Read frames with their clocks, after what is in the cache, and add them to it.

        Args:
            seconds: film time of each of the F frames.
            frames: their visual tokens, `[M, D]` each.
            cache: as `begin` made it; F frames longer afterwards.
            first: whether they are the first frames in it.

        Returns:
            One state per frame, `[F, D]` float32: the mean of the last layer over the frame's tokens (Eq. 3, inside).
        """
        ids = self._tokenise(film_strip(seconds, [self.image_mark * len(frame) for frame in frames], first=first))
        hidden = self._run(ids, frames, cache)
        return pool_frames(hidden, ids == self.model.config.image_token_id, [len(frame) for frame in frames])

    def forget_between(self, cache: DynamicCache, first: int, last: int) -> None:
        """Keep a cache's first and last tokens, as if nothing had stood between them.

        What was read of the last ones stays as it was read, with all that stood before; only their places change. A
        key holds its place as rotations (RoPE), and rotations add up: turning it back by the tokens that go is all
        there is to do. That the opening stays where it was is what keeps a stream stable (Xiao et al. 2023,
        StreamingLLM, section 3).

        Args:
            cache: as `begin` and `read` made it.
            first, last: how many tokens stay at either end.
        """
        total = cache.get_seq_length()
        gone = total - first - last
        angles = gone * self.model.model.language_model.rotary_emb.inv_freq.float()
        cosine, sine = (torch.cat([part, part]) for part in (angles.cos(), angles.sin()))
        for layer in cache.layers:
            keys, values = layer.keys, layer.values
            late = keys[..., total - last :, :].float()
            low, high = late.chunk(2, dim=-1)
            turned = late * cosine - torch.cat([-high, low], dim=-1) * sine
            layer.keys = torch.cat([keys[..., :first, :], turned.to(keys.dtype)], dim=-2)
            layer.values = torch.cat([values[..., :first, :], values[..., total - last :, :]], dim=-2)

    def frame_tokens(self, seconds: float, tokens: int) -> int:
        """How many tokens a frame of M = `tokens` visual tokens takes with its clock, after another frame."""
        return len(self._tokenise(film_strip([seconds], [self.image_mark * tokens], first=False)))

    def frames_that_fit(self, text: str, tokens: int) -> int:
        """How many frames of M = `tokens` visual tokens the context holds after a text."""
        return (self.context_tokens - len(self._tokenise(text))) // self.frame_tokens(LATEST_SECONDS, tokens)

    @torch.no_grad()
    def answer(
        self,
        pictures: Sequence[Picture],
        instruction: str,
        *,
        max_new_tokens: int = 256,
        frame_pixels: int = FRAME_PIXELS,
    ) -> str:
        """Show pictures as one video with their clocks, ask, and take the likeliest word each time.

        Args:
            pictures: in time order.
            instruction: the user's words; they stand after the pictures, as in the chats it was trained on.
            max_new_tokens: where a reply that does not end is cut.
            frame_pixels: budget of each picture.

        Raises:
            UsageError: if pictures, instruction and reply do not fit into the context.
        """
        frames = [self.see(image, frame_size(image.shape[1], image.shape[0], frame_pixels)) for _, image in pictures]
        marks = [self.image_mark * len(frame) for frame in frames]
        ids = self._tokenise(question([seconds for seconds, _ in pictures], marks, instruction))
        if len(ids) + max_new_tokens > self.context_tokens:
            raise UsageError(
                f"{len(frames)} pictures and the instruction are {len(ids)} tokens, and {max_new_tokens} more were "
                f"asked for; the model holds {self.context_tokens}: show fewer or smaller pictures"
            )
        cache = DynamicCache(config=self.model.config.text_config)
        hidden = self._run(ids, frames, cache)
        reply: list[int] = []
        while len(reply) < max_new_tokens:
            token = int(self.model.lm_head(hidden[-1]).argmax())
            if token in self._ends:
                break
            reply.append(token)
            hidden = self._run(torch.tensor([token], device=self.model.device), [], cache)
        return str(self.tokenizer.decode(reply, skip_special_tokens=True)).strip()

    def _tokenise(self, text: str) -> Tensor:
        ids = self.tokenizer(text, add_special_tokens=False).input_ids
        return torch.tensor(ids, device=self.model.device)

    @torch.no_grad()
    def _run(self, ids: Tensor, frames: Sequence[Tensor], cache: DynamicCache) -> Tensor:
        """The last layer's states `[S, D]` of more tokens, final norm included; no logits are made."""
        embedded = self.model.get_input_embeddings()(ids)
        if frames:
            embedded[ids == self.model.config.image_token_id] = torch.cat(list(frames))
        read = self.model.model(inputs_embeds=embedded[None], past_key_values=cache, use_cache=True)
        hidden: Tensor = read.last_hidden_state[0]
        return hidden


def pool_frames(hidden: Tensor, visual: Tensor, tokens: Sequence[int]) -> Tensor:
    """Average each frame's visual tokens, and nothing else (Eq. 3, inside).

    Args:
        hidden: `[S, D]`.
        visual: which of the S positions are visual tokens, `[S]` boolean.
        tokens: M of each of the F frames, in order.

    Returns:
        `[F, D]` float32.

    Raises:
        ValueError: if a frame has no token, or the counts do not add up to the visual positions.
    """
    if min(tokens, default=0) < 1 or sum(tokens) != int(visual.sum()):
        raise ValueError(f"frames of {list(tokens)} tokens do not fit {int(visual.sum())} visual positions")
    return torch.stack([frame.mean(dim=0) for frame in torch.split(hidden[visual].float(), list(tokens))])
