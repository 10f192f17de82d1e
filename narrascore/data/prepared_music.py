"""A prepared set of music: shards out of finished songs, and a summary that names everything that was left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from narrascore.data.captions import write_caption
from narrascore.data.music_labels import LabelledSong, MusicSet
from narrascore.data.music_splits import SUMMARY_FILE, PreparedSong, origin_of, split_of
from narrascore.data.shards import SPLITS, ShardItem, write_shards
from narrascore.data.song_store import TokenisedSong
from narrascore.media.output import replacing

PAPER_MINUTES = 1351
"""The size of the paper's music set after its preparation (4.1)."""


@dataclass
class PreparedMusic:
    """What became of a set.

    Attributes:
        name: of the set.
        songs: song -> its recording, its file and its split, of every song that has a clip.
        clips: split -> how many.
        clip_seconds: length of each.
        distinct_seconds: of music, what clips share counted once.
        unusable: song -> why there is nothing of it.
        silent: song -> (start in seconds, share of silence) of clips that were dropped for it.
        without_caption: songs of which nothing is known in words.
        made_with: settings and weights, for the summary file.
        warnings: one line each.
    """

    name: str
    clip_seconds: float
    songs: dict[str, PreparedSong] = field(default_factory=dict)
    clips: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))
    distinct_seconds: float = 0.0
    unusable: dict[str, str] = field(default_factory=dict)
    silent: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    without_caption: list[str] = field(default_factory=list)
    made_with: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        """Of all clips together."""
        return sum(self.clips.values()) * self.clip_seconds / 60

    def add(self, song: LabelledSong, made: TokenisedSong, split: str) -> None:
        """Count a finished song."""
        if made.silent:
            self.silent[song.id] = list(made.silent)
        if not made.clips:
            self.unusable[song.id] = made.reason
            return
        self.songs[song.id] = PreparedSong(origin_of(self.name, song.id), made.sha256, split)
        self.clips[split] += len(made.clips)
        end = -float("inf")
        for start in sorted(clip.start_seconds for clip in made.clips):
            self.distinct_seconds += self.clip_seconds - max(0.0, end - start)
            end = start + self.clip_seconds
        if not write_caption(song.text):
            self.without_caption.append(song.id)

    def lines(self) -> str:
        """The summary as it is printed."""
        count = sum(self.clips.values())
        said = [
            f"{self.name}: {len(self.songs)} songs, {count} clips of {self.clip_seconds:g} s, {self.minutes:.1f} min "
            f"({self.distinct_seconds / 60:.1f} min without what clips share); the paper's set has {PAPER_MINUTES} min",
            "  " + ", ".join(f"{split} {self.clips[split]} clips" for split in SPLITS),
        ]
        if self.unusable:
            said.append(f"  left out, {len(self.unusable)} songs:")
            said += [f"    {song}: {reason}" for song, reason in self.unusable.items()]
        if self.silent:
            dropped = sum(map(len, self.silent.values()))
            said.append(f"  too silent, {dropped} clips: {', '.join(_at(*entry) for entry in self.silent.items())}")
        if self.without_caption:
            said.append(f"  without a caption, {len(self.without_caption)} songs: {', '.join(self.without_caption)}")
        return "\n".join([*said, *(f"  warning: {warning}" for warning in self.warnings)])

    def write(self, folder: Path) -> None:
        """Write the summary file, which says that the set is whole."""
        said = {
            "set": self.name, "made_with": self.made_with, "clips": self.clips, "clip_seconds": self.clip_seconds,
            "minutes": round(self.minutes, 2), "distinct_minutes": round(self.distinct_seconds / 60, 2),
            "paper_minutes": PAPER_MINUTES, "left_out": self.unusable, "silent_clips": self.silent,
            "without_caption": self.without_caption, "warnings": self.warnings,
            "songs": {name: vars(song) for name, song in self.songs.items()},
        }  # fmt: skip
        with replacing(folder / SUMMARY_FILE) as partial:
            partial.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_music(
    music: MusicSet,
    folder: Path,
    clip_seconds: float,
    finished: Callable[[LabelledSong], TokenisedSong],
    *,
    seed: int,
    validation_share: float,
    test_share: float,
) -> PreparedMusic:
    """Write the shards of a set whose songs are all finished; an earlier set in the folder is replaced.

    Args:
        music: the set.
        folder: where the shards go.
        clip_seconds: length of the clips.
        finished: a song as it was kept; called song by song, so that a shard's songs are held and no more.
        seed, validation_share, test_share: of the splits, by song.

    Returns:
        What the set has become; its summary is not written yet.
    """
    prepared = PreparedMusic(music.name, clip_seconds, unusable=dict(music.unusable))

    def items() -> Iterator[ShardItem]:
        for song in music.songs:
            made = finished(song)
            split = split_of(origin_of(music.name, song.id), seed, validation_share, test_share)
            prepared.add(song, made, split)
            yield from _items(music, song, made, split)

    _take_away(folder)
    write_shards(folder, items())
    empty = [split for split in ("train", "validation") if not prepared.clips[split]]
    if empty:
        prepared.warnings.append(
            f"no clip in {' and '.join(empty)}, which training needs: another seed= or larger shares may help"
        )
    return prepared


def _items(music: MusicSet, song: LabelledSong, made: TokenisedSong, split: str) -> Iterable[ShardItem]:
    source = f"{music.name}/{song.audio.relative_to(music.root).as_posix()}"
    for clip in made.clips:
        yield ShardItem(
            id=f"{music.name}-{song.id}-{round(1000 * clip.start_seconds):07d}",
            codes=clip.codes, curve=clip.curve, caption=write_caption(song.text), split=split, source=source,
            start_seconds=clip.start_seconds, silence_share=clip.silence_share,
        )  # fmt: skip


def _take_away(folder: Path) -> None:
    """Remove an earlier set's shards, manifests first: without them nothing counts as written."""
    (folder / SUMMARY_FILE).unlink(missing_ok=True)
    for pattern in ("manifest/*.parquet", "*.safetensors"):
        for path in folder.glob(pattern):
            if path.stem.rsplit("-", 1)[0] in SPLITS:
                path.unlink()


def _at(song: str, clips: list[tuple[float, float]]) -> str:
    places = ", ".join(f"{start:g} s {share:.0%}" for start, share in clips)
    return f"{song} ({places})"
