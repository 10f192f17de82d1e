"""From codes to files: music that ends with its film, MIDI, stems, and the film with its music."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from torch import Tensor

from narrascore.cue_sound import Block, place_cues
from narrascore.cues import Cue
from narrascore.errors import UsageError
from narrascore.media.audio import measure_loudness, read_wav, write_wav
from narrascore.media.film import Film
from narrascore.media.loudness import rounded
from narrascore.media.mix import Mix, mix_film
from narrascore.media.mix_settings import MixSettings
from narrascore.media.mux import mux_film
from narrascore.media.output import replacing
from narrascore.media.together import write_together
from narrascore.provenance import TAG
from narrascore.spans import Span
from narrascore.synthesis.codec import Codec
from narrascore.synthesis.joining import Patch, lay_over, within
from narrascore.synthesis.mixing import STEMS
from narrascore.synthesis.score_codec import ScoreCodec
from narrascore.windows import samples_of

AudioMode = Literal["duck", "mix", "replace", "music-only"]
AUDIO_MODES: tuple[AudioMode, ...] = ("duck", "mix", "replace", "music-only")

CHUNK_SECONDS = 10.0
FADE_OUT_SECONDS = 1.0
"""The end of a film may cut a note, so the last second is faded out; of films under 4 s, the last quarter."""


def default_audio(film: Film) -> AudioMode:
    """Under the film's own sound where there is any."""
    return "duck" if film.audio_tracks else "replace"


def render_music(
    codec: Codec,
    codes: Tensor,
    duration_seconds: Fraction | float,
    patches: Sequence[Patch] = (),
    cues: Sequence[Cue] | None = None,
) -> Iterator[Block]:
    """Decode codes `[K, T]` to blocks `[C, n]`, `samples_of(duration_seconds)` samples in all, faded out at the end;
    patches are laid over them in their order. Of a film with cues, only these are decoded, each by itself."""
    chunk_frames = round(CHUNK_SECONDS * codec.frame_rate_hz)

    def play(cue: Span) -> Iterator[Block]:
        own = codec.begun_at(cue.start)
        chunks = own.decode_chunks(codes[:, cue.start : cue.stop], chunk_frames)
        for patch in within(patches, cue):
            chunks = lay_over(own, chunks, patch, cue.stop - cue.start, chunk_frames)
        return (np.array(chunk, dtype=np.float32) for chunk in chunks)

    blocks = place_cues(cues, play, codec, codes.shape[1], duration_seconds)
    return end_with_film(blocks, duration_seconds, codec.sample_rate_hz)


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
    return write_wav(path, blocks, codec.sample_rate_hz, codec.channels, samples=samples, comment=TAG)


def measure_music(path: Path, codec: Codec) -> dict[str, object]:
    """Loudness of written music: integrated, its range, its true peak, and over time; None where it is silent."""
    layout = "stereo" if codec.channels == 2 else "mono"
    blocks = read_wav(path, sample_rate_hz=codec.sample_rate_hz, layout=layout)
    loudness = measure_loudness(blocks, codec.sample_rate_hz, layout)
    return {
        "loudness_lufs": rounded(loudness.lufs),
        "loudness_range_lu": round(loudness.range_lu, 1),
        "true_peak_dbtp": rounded(loudness.true_peak_dbtp),
        "momentary_lufs": loudness.over_time(),
    }


def write_midi(path: Path, codec: Codec, codes: Tensor) -> Path:
    """Write notes as MIDI, whole or not at all.

    Raises:
        UsageError: if the music model writes sound.
    """
    with replacing(path) as partial:
        _notes(codec, "MIDI").write_midi(codes, partial)
    return path


def write_stems(
    folder: Path,
    codec: Codec,
    codes: Tensor,
    duration_seconds: Fraction | float,
    cues: Sequence[Cue] | None = None,
) -> list[Path]:
    """Write one WAV per voice group; all are turned down alike if one would clip. Memory does not grow with the film.

    Outside the cues the stems are as silent as the music, and they have its fades.

    Raises:
        UsageError: if the music model writes sound; `write_sound_stems` takes that apart.
    """
    notes, rate_hz = _notes(codec, "stems"), codec.sample_rate_hz

    def play(cue: Span) -> Iterator[Block]:
        chunk_frames = round(CHUNK_SECONDS * codec.frame_rate_hz)
        for chunk in notes.begun_at(cue.start).decode_stem_chunks(codes[:, cue.start : cue.stop], chunk_frames):
            yield np.concatenate([chunk[stem].numpy() for stem in STEMS])

    blocks = place_cues(cues, play, codec, codes.shape[1], duration_seconds)
    chunks = (dict(zip(STEMS, np.split(block, len(STEMS)), strict=True)) for block in blocks)
    return write_together(
        folder, chunks, rate_hz, codec.channels, samples_of(duration_seconds, rate_hz),
        end=lambda sound: end_with_film(sound, duration_seconds, rate_hz), comment=TAG,
    )  # fmt: skip


def plan_mix(
    film: Film,
    music: Path,
    audio: AudioMode,
    settings: MixSettings | None = None,
    cues: Sequence[Cue] | None = None,
) -> Mix:
    """Choose the levels of written music under a film; with `music-only`, those of the music by itself.

    Raises:
        InputError: if the film has no such sound track.
    """
    heard = None if cues is None else [(cue.in_seconds, cue.out_seconds) for cue in cues]
    return mix_film(film, music, "replace" if audio == "music-only" else audio, settings, heard=heard)


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
        metadata={"comment": TAG}, overwrite=overwrite, progress=progress,
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
    return [
        write_wav(folder / name, blocks, rate_hz, channels, samples=samples, comment=TAG)
        for name, blocks, channels in sounds
    ]


def _notes(codec: Codec, what: str) -> ScoreCodec:
    if not isinstance(codec, ScoreCodec):
        raise UsageError(f"this music model writes sound, not notes: there are no {what} to be had from it")
    return codec
