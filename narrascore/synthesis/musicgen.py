"""The frozen music backbone: any MusicGen checkpoint of the library's, from the hub or a folder, or our own."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, MusicgenForConditionalGeneration
from transformers.utils import logging as library_logging

from narrascore.errors import InputError
from narrascore.hub import CARD_FILE, UNKNOWN_LICENCE, commit_of, find_checkpoint, licence_of, read_card
from narrascore.lexicon import FILLERS
from narrascore.synthesis.codec import Codec, EncodecCodec
from narrascore.synthesis.decoder import AddControl, TextCondition, run_decoder
from narrascore.synthesis.decoding import Sampling
from narrascore.synthesis.delays import musicgen_delays
from narrascore.synthesis.engine import Engine, weights_of
from narrascore.synthesis.matrices import EngineName, choose
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.synthesis.score_model import ScoreCodecConfig

EMBEDDED_FOLDER = Path(__file__).parents[1] / "weights" / "embedded"
MUSICGEN_WINDOW: dict[str, Any] = {"window_seconds": 30.0, "prompt_seconds": 12.0}
"""What MusicGen's checkpoints on the hub do not say of themselves; `Sampling`'s defaults are theirs."""
KERNEL = re.compile(r'attn_implementation[^"]*"\s*:[^,}]*"[^",}]*/')


@dataclass(frozen=True)
class Backbone:
    """Where the weights came from, for the manifest."""

    name: str
    revision: str
    licence: str


class FrozenMusicGen(nn.Module):
    """Text encoder, decoder and codec, none of which is ever trained here.

    Attributes:
        delays: of the K codebooks, in frames.
        codec: the way from codes to sound.
        window_seconds: what the decoder was trained on; longer music is made window after window.
        prompt_seconds: how much of a window the next one begins with.
        sampling: the checkpoint's own defaults.
        asked_engine: how it is played: `auto`, `exact`, `bf16` or `int8`.
    """

    def __init__(
        self,
        model: MusicgenForConditionalGeneration,
        tokenizer: Any,
        codec: Codec,
        card: dict[str, Any],
        origin: Backbone,
    ) -> None:
        super().__init__()
        config = model.config.decoder
        self.text_encoder, self.decoder, self.tokenizer, self.codec = (
            model.text_encoder,
            model.decoder,
            tokenizer,
            codec,
        )
        self.text_projection = getattr(model, "enc_to_dec_proj", None) or nn.Identity()
        self.delays = musicgen_delays(config.num_codebooks, config.audio_channels)
        self.window_seconds = float(card.get("window_seconds", 30.0))
        self.prompt_seconds = float(card.get("prompt_seconds", 12.0))
        self.sampling = Sampling(**card.get("sampling", {}))
        strengths = len(self.sampling.control_strengths)
        if strengths not in (1, config.num_codebooks):
            raise InputError(
                f"{origin.name}: its control_guidance is of {strengths} codebooks, and it has {config.num_codebooks}; "
                "give one number, or one for each"
            )
        self.origin = origin
        self.asked_engine = "auto"
        self._engine: Engine | None = None
        self.requires_grad_(False)
        self.eval()

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = EMBEDDED_FOLDER,
        *,
        revision: str | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        engine: str = "auto",
        offline: bool = True,
        soundfont: Path | None = None,
    ) -> FrozenMusicGen:
        """Load a checkpoint folder or a hub id.

        Args:
            name: a folder as `save_pretrained` writes it, or an id such as `facebook/musicgen-small`.
            revision: of a hub id.
            device, dtype: of the decoder; the text encoder and its projection stay in fp32.
            engine: how the music is played; see `matrices`.
            offline: open no socket; what is not on this machine is an error.
            soundfont: another SF2 file for the score codec.

        Raises:
            ModelUnavailableError: if the weights cannot be had.
            InputError: if the folder is not a MusicGen checkpoint.
            UsageError: if the device has no such engine.
        """
        library_logging.set_verbosity_error()
        library_logging.disable_progress_bar()
        choose(engine, torch.device(device), dtype, weights=0)
        folder = find_checkpoint(name, revision=revision, offline=offline)
        _refuse_foreign_kernels(folder)
        try:
            model = MusicgenForConditionalGeneration.from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise InputError(f"{name}: not a MusicGen checkpoint in safetensors ({reason})") from error
        card = _read_card(folder)
        stated = licence_of(name) if Path(name) != folder else str(card.get("licence", UNKNOWN_LICENCE))
        origin = Backbone(str(card.get("name", name)), commit_of(folder) or _digest(folder), stated)
        musicgen = cls(model, tokenizer, _codec(model, device, soundfont), card, origin)
        musicgen.asked_engine = engine
        return musicgen.place(device, dtype)

    def place(self, device: str | torch.device, dtype: torch.dtype) -> FrozenMusicGen:
        """Move the decoder to a device and a dtype; T5 and its projection stay in fp32, since T5 overflows in fp16."""
        self.decoder.to(device=device, dtype=dtype)
        self.text_encoder.to(device=device, dtype=torch.float32)
        self.text_projection.to(device=device, dtype=torch.float32)
        return self

    def train(self, mode: bool = True) -> FrozenMusicGen:
        """Stays in evaluation mode: the library's dropouts must never wake up when an adapter is trained."""
        return super().train(False)

    @property
    def width(self) -> int:
        """D."""
        return int(self.decoder.config.hidden_size)

    @property
    def blocks(self) -> int:
        return int(self.decoder.config.num_hidden_layers)

    @property
    def codebooks(self) -> int:
        """K."""
        return int(self.decoder.config.num_codebooks)

    @property
    def bos(self) -> int:
        """BOS, which is PAD too."""
        return int(self.decoder.config.bos_token_id)

    @property
    def frame_rate_hz(self) -> float:
        return self.codec.frame_rate_hz

    @property
    def window_frames(self) -> int:
        return round(self.window_seconds * self.frame_rate_hz)

    @property
    def prompt_frames(self) -> int:
        return round(self.prompt_seconds * self.frame_rate_hz)

    @property
    def engine_name(self) -> EngineName:
        """What `asked_engine` means on this device and machine."""
        weight = self.decoder.lm_heads[0].weight
        return choose(self.asked_engine, weight.device, weight.dtype, weights_of(self.decoder))

    @property
    def engine(self) -> Engine:
        """The decoder prepared for playing, made when it is first asked for, and anew when the decoder was moved."""
        weight = self.decoder.lm_heads[0].weight
        if self._engine is None or self._engine.made_for != (self.engine_name, weight.device, weight.dtype):
            self._engine = Engine(self.decoder, self.engine_name)
        return self._engine

    @torch.no_grad()
    def encode_text(self, sentences: list[str]) -> TextCondition:
        """Sentences as cross-attention reads them; an empty one is a row without words.

        Returns:
            States `[B, W, D]` in the decoder's dtype, zero where there is no word.
        """
        words = [sentence if sentence.strip() else self.tokenizer.pad_token for sentence in sentences]
        encoded = self.tokenizer(words, return_tensors="pt", padding=True, truncation=True, max_length=256)
        device = next(self.text_encoder.parameters()).device
        ids, mask = encoded.input_ids.to(device), encoded.attention_mask.to(device)
        with torch.autocast(device.type, enabled=False):  # or training in mixed precision would halve T5
            states = self.text_projection(self.text_encoder(ids, attention_mask=mask).last_hidden_state)
        worded = mask.bool() & torch.tensor([bool(s.strip()) for s in sentences], device=device)[:, None]
        weight = self.decoder.lm_heads[0].weight
        return TextCondition((states * worded[..., None]).to(weight.dtype), worded)

    def forward(
        self,
        inputs: Tensor,
        text: TextCondition,
        add_control: AddControl | None = None,
        checkpointing: bool = False,
    ) -> Tensor:
        """Delayed codes `[R, K, S]` of a whole window -> logits `[R, K, S, V]`; training differentiates it."""
        return run_decoder(self.decoder, inputs, text, add_control=add_control, checkpointing=checkpointing)

    def unknown_words(self, sentence: str) -> tuple[list[str], int]:
        """Words of a sentence that the tokenizer has no entry for, and how many it knows; fillers do not count."""
        unknown, known = [], 0
        for word in re.findall(r"[^\W_]+", sentence.lower()):
            if word in FILLERS:
                continue
            ids = self.tokenizer(word, add_special_tokens=False).input_ids
            if self.tokenizer.unk_token_id in ids or not ids:
                unknown.append(word)
            else:
                known += 1
        return unknown, known

    def describe(self) -> dict[str, object]:
        """For the manifest."""
        return {"music": self.origin.name, "revision": self.origin.revision, "licence": self.origin.licence}


def _codec(model: MusicgenForConditionalGeneration, device: str, soundfont: Path | None) -> Codec:
    if isinstance(model.audio_encoder.config, ScoreCodecConfig):
        return ScoreCodec(soundfont=soundfont)
    decoder = model.config.decoder
    return EncodecCodec(model.audio_encoder, decoder.num_codebooks, decoder.audio_channels, device)


def _read_card(folder: Path) -> dict[str, Any]:
    """What the checkpoint says of itself, or what is known of MusicGen's own."""
    card = {**MUSICGEN_WINDOW, **read_card(folder)}
    try:
        Sampling(**card.get("sampling", {}))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{folder / CARD_FILE}: {error}; it must be the JSON that the recipe wrote") from error
    return card


def _digest(folder: Path) -> str:
    """The weights' own name: the first 16 hex digits of their sha256, shard after shard."""
    parts = sorted(folder.glob("model*.safetensors"))
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            while block := file.read(2**22):
                digest.update(block)
    return digest.hexdigest()[:16] if parts else ""


def _refuse_foreign_kernels(folder: Path) -> None:
    """A setting such as `attn_implementation: someone/kernel` would have the library fetch code from the hub."""
    path = folder / "config.json"
    if path.is_file() and KERNEL.search(path.read_text(encoding="utf-8", errors="replace")):
        raise InputError(f"{path}: asks for attention kernels off the hub, which are code; remove attn_implementation")
