"""From codes to files: music that ends with its film, MIDI, stems, and the film with its music."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from narrascore.errors import UsageError
from narrascore.media.audio import measure_loudness, read_wav, write_wav
from narrascore.media.film import Film
from narrascore.media.mix import Mix, mix_film
from narrascore.media.mix_settings import MixSettings
from narrascore.media.mux import mux_film
from narrascore.media.output import replacing
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.joining import Patch, lay_over
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.windows import samples_of

AudioMode = Literal["duck", "mix", "replace", "music-only"]
AUDIO_MODES: tuple[AudioMode, ...] = ("duck", "mix", "replace", "music-only")

CHUNK_SECONDS = 10.0
FADE_OUT_SECONDS = 1.0
"""The end of a film may cut a note, so the last second is faded out; of films under 4 s, the last quarter."""
STEM_PEAK = 0.98
"""Stems have no limiter, so all of them are turned down together if one goes beyond this."""

Block = NDArray[np.float32]


def default_audio(film: Film) -> AudioMode:
    """Under the film's own sound where there is any."""
    return "duck" if film.audio_tracks else "replace"


def render_music(
    codec: Codec, codes: Tensor, duration_seconds: Fraction | float, patches: Sequence[Patch] = ()
) -> Iterator[Block]:
    """Decode codes `[K, T]` to blocks `[C, n]`, `samples_of(duration_seconds)` samples in all, faded out at the end;
    patches are laid over them in their order."""
    chunk_frames = round(CHUNK_SECONDS * codec.frame_rate_hz)
    chunks = codec.decode_chunks(codes, chunk_frames)
    for patch in patches:
        chunks = lay_over(codec, chunks, patch, codes.shape[1], chunk_frames)
    return end_with_film(
        (np.array(chunk, dtype=np.float32) for chunk in chunks), duration_seconds, codec.sample_rate_hz
    )


def end_with_film(blocks: Iterable[Block], duration_seconds: Fraction | float, sample_rate_hz: int) -> Iterator[Block]:
    """Cut sound to the film's exact length and fade its end.

    Args:
        blocks: `[C, n]`, together at least as long as the film.
        duration_seconds: of the film.
        sample_rate_hz: of the blocks.
    """
    samples = samples_of(duration_seconds, sample_rate_hz)
    fade = max(1, min(round(FADE_OUT_SECONDS * sample_rate_hz), samples // 4))
    position = 0
    for block in blocks:
        kept = block[:, : samples - position]
        if kept.shape[1] == 0:
            return
        remaining = samples - np.arange(position, position + kept.shape[1])
        position += kept.shape[1]
        yield kept * np.clip(remaining / fade, 0, 1).astype(np.float32)


def leave_out(blocks: Iterable[Block], samples: int) -> Iterator[Block]:
    """Blocks `[C, n]` without the first `samples`."""
    for block in blocks:
        kept = block[:, samples:]
        samples = max(0, samples - block.shape[1])
        if kept.shape[1]:
            yield kept


def write_music(path: Path, blocks: Iterable[Block], codec: Codec, duration_seconds: Fraction | float) -> Path:
    """Write music as 24-bit WAV, whole or not at all."""
    samples = samples_of(duration_seconds, codec.sample_rate_hz)
    return write_wav(path, blocks, codec.sample_rate_hz, codec.channels, samples=samples)


def measure_music(path: Path, codec: Codec) -> dict[str, object]:
    """Integrated loudness and true peak of written music; None where it is silent."""
    layout = "stereo" if codec.channels == 2 else "mono"
    blocks = read_wav(path, sample_rate_hz=codec.sample_rate_hz, layout=layout)
    loudness = measure_loudness(blocks, codec.sample_rate_hz, layout)
    values = {"loudness_lufs": loudness.lufs, "true_peak_dbtp": loudness.true_peak_dbtp}
    return {name: round(value, 2) if math.isfinite(value) else None for name, value in values.items()}


def write_midi(path: Path, codec: Codec, codes: Tensor) -> Path:
    """Write notes as MIDI, whole or not at all.

    Raises:
        UsageError: if the music model writes sound.
    """
    with replacing(path) as partial:
        _notes(codec, "MIDI").write_midi(codes, partial)
    return path


def write_stems(folder: Path, codec: Codec, codes: Tensor, duration_seconds: Fraction | float) -> list[Path]:
    """Write one WAV per voice group; all are turned down alike if one would clip. Memory does not grow with the film.

    Raises:
        UsageError: if the music model writes sound.
    """
    notes, rate_hz = _notes(codec, "stems"), codec.sample_rate_hz
    folder.mkdir(parents=True, exist_ok=True)
    peak = 0.0
    with TemporaryDirectory(dir=folder, prefix=".raw-") as raw:
        for chunk in notes.decode_stem_chunks(codes, round(CHUNK_SECONDS * codec.frame_rate_hz)):
            for stem, audio in chunk.items():
                peak = max(peak, float(audio.abs().max()))
                with (Path(raw) / stem).open("ab") as file:
                    file.write(np.ascontiguousarray(audio.numpy().T).tobytes())
        gain = np.float32(min(1.0, STEM_PEAK / max(peak, STEM_PEAK)))
        paths = []
        for file_of_stem in sorted(Path(raw).iterdir()):
            blocks = (gain * block for block in _read_raw(file_of_stem, codec.channels, round(CHUNK_SECONDS * rate_hz)))
            path = folder / f"{file_of_stem.name}.wav"
            paths.append(write_music(path, end_with_film(blocks, duration_seconds, rate_hz), codec, duration_seconds))
    return paths


def plan_mix(film: Film, music: Path, audio: AudioMode, settings: MixSettings | None = None) -> Mix:
    """Choose the levels of written music under a film; with `music-only`, those of the music by itself.

    Raises:
        InputError: if the film has no such sound track.
    """
    return mix_film(film, music, "replace" if audio == "music-only" else audio, settings)


def write_scored_film(
    mix: Mix, output: Path, *, overwrite: bool = False, progress: Callable[[float], None] | None = None
) -> Path:
    """Write a film with its mix.

    Args:
        mix: of the film.
        output: `.mp4` or `.mkv`.
        overwrite: replace a file that is there.
        progress: told the share that is done, in [0, 1].

    Raises:
        InputError: if no container holds the picture.
    """
    return mux_film(
        mix.film, mix.blocks(), mix.sample_rate_hz, mix.layout, output, mode=mix.mode, track=mix.settings.track,
        overwrite=overwrite, progress=progress,
    )  # fmt: skip


def write_deliverables(mix: Mix, folder: Path) -> list[Path]:
    """Write what an editor takes on, as WAV of 24 bits at the mix's rate.

    `music.wav` is the music at its level in the mix, ducked and faded; `mix.wav` the mix, unless that is the music.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sounds = [("music.wav", mix.music_blocks(), 2)]
    if mix.mode != "replace":
        sounds.append(("mix.wav", mix.blocks(), mix.channels))
    rate_hz, samples = mix.sample_rate_hz, mix.samples
    return [write_wav(folder / name, blocks, rate_hz, channels, samples=samples) for name, blocks, channels in sounds]


def _notes(codec: Codec, what: str) -> ScoreCodec:
    if not isinstance(codec, ScoreCodec):
        raise UsageError(f"this music model writes sound, not notes: there are no {what} to be had from it")
    return codec


def _read_raw(path: Path, channels: int, block_samples: int) -> Iterator[Block]:
    with path.open("rb") as file:
        while data := file.read(block_samples * channels * 4):
            yield np.frombuffer(data, dtype=np.float32).reshape(-1, channels).T
