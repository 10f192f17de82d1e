"""The embedded model's codec: its codes are notes, and decoding them is playing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from narrascore.anchor import MusicalAnchor
from narrascore.errors import InputError
from narrascore.lexicon import STYLES
from narrascore.media.limiter import MARGIN_DB, limited
from narrascore.synthesis import midi, score_codes
from narrascore.synthesis.mixing import STEMS, Desk
from narrascore.synthesis.palette import Palette, PaletteTurns, palettes_for
from narrascore.synthesis.performance import SAMPLES_PER_FRAME, perform, read_levels
from narrascore.synthesis.sampler import SAMPLE_RATE_HZ, NoteBank
from narrascore.synthesis.soundfont import SoundFont

CEILING_DB = -1.0 - MARGIN_DB
"""The music stays under -1 dB."""


class ScoreCodec:
    """Codes `[11, T]` at 25 Hz (score_codes.py) to 48 kHz stereo, MIDI and stems.

    Every frame is 1920 samples, and the same codes give the same samples however they are asked for. Codes that mean
    nothing are silent. What still rings after the last frame is cut.

    Args:
        palette: instruments and key, for all of the codes or in turns; None is the orchestral drama's, on C.
        soundfont: any General MIDI font in the SF2 format; None is the default one.
        bank: a sampler to share, instead of `soundfont`.

    Raises:
        InputError: if the font cannot be used.
        ModelUnavailableError: if the default font is not installed.
    """

    frame_rate_hz = float(score_codes.FRAME_RATE_HZ)
    sample_rate_hz = SAMPLE_RATE_HZ
    codebooks = score_codes.CODEBOOKS
    channels = 2
    held_code: int | None = score_codes.HOLD

    def __init__(
        self,
        palette: Palette | PaletteTurns | None = None,
        soundfont: str | Path | None = None,
        *,
        bank: NoteBank | None = None,
    ) -> None:
        self.palette = palette or Palette(dict(STYLES["drama"].palette))
        self.bank = bank or NoteBank(SoundFont.open(soundfont))

    @property
    def samples_per_frame(self) -> int:
        return SAMPLES_PER_FRAME

    def encode(self, audio: Tensor) -> Tensor:
        """Audio has no way into a score.

        Raises:
            InputError: always.
        """
        raise InputError(
            "the score codec cannot encode audio: its codes are notes and come from a composer; use EnCodec"
        )

    def decode(self, codes: Tensor | NDArray[np.integer]) -> Tensor:
        """`[11, T]` integers -> `[2, T * 1920]` float32, limited to under -1 dB."""
        frames = _read(codes).shape[1]
        audio = torch.empty(self.channels, frames * SAMPLES_PER_FRAME)
        at = 0
        for block in self._limited(_read(codes)):
            audio[:, at : at + block.shape[1]] = torch.from_numpy(block)
            at += block.shape[1]
        return audio

    def decode_chunks(self, codes: Tensor | NDArray[np.integer], chunk_frames: int) -> Iterator[Tensor]:
        """The samples of `decode`, bit for bit, `[2, chunk_frames * 1920]` at a time, the last chunk shorter."""
        if chunk_frames < 1:
            raise ValueError(f"chunk_frames must be at least 1: got {chunk_frames}")
        return (torch.from_numpy(part) for part in _cut(self._limited(_read(codes)), chunk_frames * SAMPLES_PER_FRAME))

    def decode_stems(self, codes: Tensor | NDArray[np.integer]) -> dict[str, Tensor]:
        """Melody, counter, harmony, bass and percussion, each `[2, T * 1920]` with its room.

        They add up to the music before the limiter, so they may exceed 1.
        """
        chunks = list(self.decode_stem_chunks(codes, chunk_frames=max(1, _read(codes).shape[1])))
        return chunks[0] if chunks else {stem: torch.zeros(self.channels, 0) for stem in STEMS}

    def decode_stem_chunks(self, codes: Tensor | NDArray[np.integer], chunk_frames: int) -> Iterator[dict[str, Tensor]]:
        """The samples of `decode_stems` with bounded memory."""
        read = _read(codes)
        cuts = [_cut(self._desk(read, voices).blocks(), chunk_frames * SAMPLES_PER_FRAME) for voices in STEMS.values()]
        for parts in zip(*cuts, strict=True):
            yield {stem: torch.from_numpy(part) for stem, part in zip(STEMS, parts, strict=True)}

    def silence(self, frames: int) -> Tensor:
        """Rests `[11, frames]`; pulse, chord and dynamics stay what they were."""
        return torch.from_numpy(score_codes.empty_score(frames))

    def write_midi(self, codes: Tensor | NDArray[np.integer], path: str | Path) -> None:
        """Write the score as MIDI, with this palette's programs and key; see midi.py."""
        midi.write_midi(_read(codes), self.palette, path)

    def for_anchor(self, anchor: MusicalAnchor) -> ScoreCodec:
        """The codec with the anchor's palette and its turns in film time, sharing this one's sampler."""
        return ScoreCodec(palettes_for(anchor, self.frame_rate_hz), bank=self.bank)

    def begun_at(self, frame: int) -> ScoreCodec:
        """The codec of codes that begin with this frame of the anchor's film: its turns come so much earlier."""
        return ScoreCodec(self.palette.begun_at(frame), bank=self.bank)

    def describe(self) -> dict[str, object]:
        """For the manifest: palette and sound font, with its licence."""
        return {
            "codec": "score",
            "sample_rate_hz": self.sample_rate_hz,
            "channels": self.channels,
            "palette": self.palette.describe(),
            "soundfont": self.bank.soundfont.describe(),
        }

    def _desk(self, codes: NDArray[np.int16], voices: tuple[int, ...]) -> Desk:
        return Desk(self.bank, perform(codes, self.palette), read_levels(codes), voices)

    def _limited(self, codes: NDArray[np.int16]) -> Iterator[NDArray[np.float32]]:
        desk = self._desk(codes, (*score_codes.PITCHED, *score_codes.DRUMS))
        return limited(desk.blocks(), self.channels, CEILING_DB)


def _read(codes: Tensor | NDArray[np.integer]) -> NDArray[np.int16]:
    array = codes.detach().cpu().numpy() if isinstance(codes, Tensor) else np.asarray(codes)
    if array.ndim != 2 or len(array) != score_codes.CODEBOOKS or array.dtype.kind not in "iu":
        raise ValueError(f"codes must be integers [{score_codes.CODEBOOKS}, T]: got {array.dtype} {list(array.shape)}")
    return array.astype(np.int16)


def _cut(blocks: Iterator[NDArray[np.float32]], samples: int) -> Iterator[NDArray[np.float32]]:
    """The same stream in pieces of `samples`, the last one shorter."""
    kept: list[NDArray[np.float32]] = []
    count = 0
    for block in blocks:
        kept.append(block)
        count += block.shape[1]
        while count >= samples:
            whole = np.concatenate(kept, axis=1)
            yield whole[:, :samples]
            kept = [whole[:, samples:]]
            count -= samples
    if count:
        yield np.concatenate(kept, axis=1)
