"""Songs to codes: decoded, without voices, at the codec's rate, cut to clips, encoded; over all cores (paper 4.1).

    song.mp3 -> [2, N] 44.1 kHz -> less voices -> [1, N] 32 kHz -> clips of 30 s -> codes [K, T] each

A song is computed on one thread whatever the number of workers, since results differ between one thread and two: the
same songs give the same codes.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import signal
import tempfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import EncodecModel

from narrascore.data.music_clips import SLACK_SECONDS, ClipRules, cut_clips, labelled_stretches
from narrascore.data.music_labels import LabelledSong
from narrascore.data.separation import Separator
from narrascore.data.song_store import SongStore, TokenisedClip, TokenisedSong
from narrascore.errors import InputError
from narrascore.media.samples import resampled, with_channels
from narrascore.media.song import read_song
from narrascore.synthesis.codec import EncodecCodec

MONO_OR_STEREO = {1: "mono", 2: "stereo"}


@dataclass(frozen=True)
class Separation:
    """Where the weights that remove voices come from; each worker loads them for itself."""

    name: str = "htdemucs"
    offline: bool = False
    device: str = "cpu"

    def load(self) -> Separator | None:
        """The remover, or None for `none`: the song as it is.

        Raises:
            ModelUnavailableError: if the weights cannot be had.
            InputError: if a file of one's own is not Demucs'.
        """
        if self.name == "none":
            return None
        return Separator.from_pretrained(self.name, offline=self.offline, device=self.device)


class SongTokeniser:
    """Turns one song after another into codes, and keeps each.

    Args:
        codec: EnCodec of the music model that will be trained.
        remover: takes the voices out; None leaves them.
        rules: how songs are cut.
        store: where finished songs are kept.
    """

    def __init__(self, codec: EncodecCodec, remover: Separator | None, rules: ClipRules, store: SongStore) -> None:
        self.codec, self.remover, self.rules, self.store = codec, remover, rules, store
        self._made_with = {
            "codec": codec_digest(codec),
            "separation": "none" if remover is None else remover.name,
            "rules": asdict(rules),
        }

    def __call__(self, song: LabelledSong) -> str:
        """Make the song's clips to codes and keep them, unless they are kept. A sound file that cannot be read is kept
        as a song without clips, with the reason.

        Returns:
            The key under which the store has the song.

        Raises:
            InputError: if the result cannot be kept.
        """
        try:
            sha256, reason = hashlib.sha256(song.audio.read_bytes()).hexdigest(), ""
        except OSError as error:
            sha256, reason = "", f"{song.audio.name}: cannot be read ({error.strerror})"
        key = self._key(song, sha256)
        if self.store.load(song.id, key) is None:
            self.store.save(TokenisedSong(song.id, reason=reason) if reason else self._make(song, sha256), key)
        return key

    def _make(self, song: LabelledSong, sha256: str) -> TokenisedSong:
        try:
            sound = self._read(song.audio)
        except InputError as error:
            return TokenisedSong(song.id, sha256, reason=str(error))
        seconds = sound.shape[1] / self.codec.sample_rate_hz
        kept, silent = cut_clips(song, sound, self.codec.sample_rate_hz, self.rules)
        clips = tuple(
            TokenisedClip(clip.start_seconds, self._encode(clip.sound), clip.curve, clip.silence_share) for clip in kept
        )
        dropped = tuple((clip.start_seconds, clip.silence_share) for clip in silent)
        reason = "" if clips else self._why_none(song, seconds, len(silent))
        return TokenisedSong(song.id, sha256, seconds, clips, dropped, reason)

    def _read(self, path: Path) -> NDArray[np.float32]:
        """The song without voices at the codec's rate and channels, `[C, N]`."""
        codec, remover = self.codec, self.remover
        if remover is None:
            blocks = read_song(path, codec.sample_rate_hz, codec.channels)
        else:
            blocks = remover.remove_vocals(read_song(path, remover.sample_rate_hz, remover.channels))
            blocks = (with_channels(block, codec.channels) for block in blocks)
            if remover.sample_rate_hz != codec.sample_rate_hz:
                layout = MONO_OR_STEREO[codec.channels]
                blocks = resampled(blocks, layout, remover.sample_rate_hz, codec.sample_rate_hz)
        return np.concatenate(list(blocks), axis=1)

    def _encode(self, sound: NDArray[np.float32]) -> NDArray[np.int16]:
        codes: NDArray[np.int16] = self.codec.encode(torch.from_numpy(sound)[None])[0].to(torch.int16).numpy()
        return codes

    def _why_none(self, song: LabelledSong, seconds: float, silent: int) -> str:
        if silent:
            return (
                f"all of its {silent} clips are more than {self.rules.most_silence:.0%} silent "
                f"(below {self.rules.silence_db:g} dB)"
            )
        longest = max(min(end, seconds) - begin for begin, end in labelled_stretches(song))
        return (
            f"{max(0.0, longest):.1f} s of it are labelled and sound, and a clip is {self.rules.clip_seconds:g} s "
            f"(less {SLACK_SECONDS:g}); data.clip_seconds sets another length"
        )

    def _key(self, song: LabelledSong, sha256: str) -> str:
        """What a song's codes are a function of, as one digest."""
        labels = hashlib.sha256(song.times.tobytes() + song.labels.tobytes()).hexdigest()
        made_from = {**self._made_with, "sound": sha256, "labels": labels, "step": song.step_seconds}
        return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def tokenise_songs(
    songs: Sequence[LabelledSong],
    codec: EncodecCodec,
    separation: Separation,
    rules: ClipRules,
    store: SongStore,
    *,
    workers: int = 1,
) -> Generator[tuple[str, str], None, None]:
    """Tokenise songs on so many processes, in no certain order; those that `store` keeps are not made again.

    Yields:
        (id, key) of each song once `store` has it.

    Raises:
        InputError: if a process died, or a result cannot be kept.
        ModelUnavailableError: if the weights that remove voices cannot be had.
    """
    remover = separation.load()
    if workers == 1:
        yield from _in_one_thread(SongTokeniser(codec, remover, rules, store), songs)
        return
    with tempfile.TemporaryDirectory(prefix="narrascore-codec-") as saved:
        codec.model.save_pretrained(saved)
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            workers,
            multiprocessing.get_context("spawn"),
            _begin_worker,
            (saved, codec.codebooks, codec.channels, codec.device, separation, rules, store),
        )
        try:
            for done in as_completed([pool.submit(_in_worker, song) for song in songs]):
                yield done.result()
        except BrokenProcessPool as error:
            raise InputError(
                f"one of {workers} processes died, most likely for want of memory; the songs that are done stay done: "
                "run the same command with a smaller workers="
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()  # stopped or failed: songs at hand are made again next time
            pool.shutdown()


def codec_digest(codec: EncodecCodec) -> str:
    """The codec's own name: the first 16 hex digits of its weights' sha256, with the way its channels are laid out."""
    content = hashlib.sha256(f"{codec.codebooks}/{codec.channels}".encode())
    for name, tensor in sorted(codec.model.state_dict().items()):
        content.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return content.hexdigest()[:16]


def _in_one_thread(tokenise: SongTokeniser, songs: Sequence[LabelledSong]) -> Iterator[tuple[str, str]]:
    before = torch.get_num_threads()
    for song in songs:
        torch.set_num_threads(1)
        try:
            key = tokenise(song)
        finally:
            torch.set_num_threads(before)
        yield song.id, key


_worker: SongTokeniser


def _begin_worker(
    saved: str, codebooks: int, channels: int, device: str, separation: Separation, rules: ClipRules, store: SongStore
) -> None:
    """Load what a process needs, once; an interrupt is the parent's business."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    codec = EncodecCodec(EncodecModel.from_pretrained(saved), codebooks, channels, device)
    _worker = SongTokeniser(codec, separation.load(), rules, store)


def _in_worker(song: LabelledSong) -> tuple[str, str]:
    return song.id, _worker(song)
