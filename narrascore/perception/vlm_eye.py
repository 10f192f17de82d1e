"""The paper's eye: a frozen VideoLLaMA3 that reads the film second by second (paper 3.3 and 3.6)."""

from __future__ import annotations

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from narrascore.errors import UsageError
from narrascore.media.film import Film
from narrascore.perception.keyframes import KeyframePicker
from narrascore.perception.pixels import FRAME_PIXELS, TOKEN_PIXELS, frame_size, tokens_of
from narrascore.perception.prompts import opening
from narrascore.perception.reading import FilmReading
from narrascore.perception.vlm import FrozenVLM
from narrascore.windows import frames_to_cover, overlapping_windows

RATE_HZ = 1
"""One frame and one state a second; a window of seconds is a window of frames."""

STREAMING_STEP = 15
"""Frames that go into the growing context together. Each sees only what lies before it, so the states are those of one
frame at a time; a step reads the whole context and all weights once, however many frames are in it, and one of few
frames makes matrix products too narrow for the processor."""

STREAMING_OVERLAPS = 4
"""By default a context grows to so many overlaps. A longer one gives the attention more to do in every frame, a shorter
one leaves a frame less of its past; at the paper's 15 s the past is 15 to 60 s long."""

Mode = Literal["windows", "streaming"]
Seen = Iterator[tuple[int, Tensor]]
"""Second, and the visual tokens `[M, D]` of its frame."""

Stretch = tuple[int, int, NDArray[np.float32]]
"""Seconds [start, stop) and their states `[n, D]`."""


class VlmEye:
    """Reads a film once, a frame a second, each frame through the vision tower once.

    `windows` (the paper's): overlapping windows, each read on its own after the primer, so that a second in an overlap
    has two states, one of them with more of the past. The pipeline cross-fades what the probe makes of them.

        seconds  0         15        30        45        60
        window 0 |=========|=========|
        window 1           |=========|=========|
        window 2                     |=========|=========|

    `streaming`: one growing context. When it is full it starts again with the primer and the last `overlap_seconds`,
    whose keys and values are carried over as they are; nothing is read twice. So every second has one state, the
    windows of the reading tile the film, and a cross-fade changes nothing.

        window 0 |===================================|
        window 1                           |- - - - -|=====================|

    Either way a state depends on nothing that comes after its window, and memory holds one window's visual tokens and
    one cache; only the states grow with the film.

    Args:
        vlm: the frozen model.
        primer: text of the semantic primer, the system turn (Eq. 2); empty for none.
        mode: see above.
        window_seconds: of a window; in streaming it is not used.
        overlap_seconds: shared by neighbouring windows, or carried over when the context starts again.
        frame_pixels: budget of a frame: 784 px are a visual token.
        max_frames: the most frames in one context; by default as many as fit, and in streaming at most four overlaps.

    Raises:
        UsageError: if these do not fit together or into the context.
    """

    name = "vlm"

    def __init__(
        self,
        vlm: FrozenVLM,
        primer: str = "",
        *,
        mode: Mode = "windows",
        window_seconds: int = 30,
        overlap_seconds: int = 15,
        frame_pixels: int = FRAME_PIXELS,
        max_frames: int | None = None,
    ) -> None:
        if mode not in ("windows", "streaming"):
            raise UsageError(f"mode {mode!r} of the eye vlm: choose windows or streaming")
        if frame_pixels < TOKEN_PIXELS**2:
            raise UsageError(f"frame_pixels must be at least {TOKEN_PIXELS**2}, one visual token: got {frame_pixels}")
        self.vlm, self.primer, self.mode = vlm, primer, mode
        self.window_seconds, self.overlap_seconds = window_seconds, overlap_seconds
        self.frame_pixels, self.max_frames = frame_pixels, max_frames
        fitting = self._limit(frame_pixels // TOKEN_PIXELS**2)
        longest = window_seconds if mode == "windows" else max_frames or fitting
        limit = min(fitting, max_frames or fitting)
        if longest > limit:
            raise UsageError(
                f"{longest} frames of {frame_pixels} px in one context: {limit} are the most, for the primer and "
                f"{fitting} such frames fill the {vlm.context_tokens} tokens of the model and max_frames is "
                f"{max_frames}; take shorter windows or fewer pixels"
            )
        if not 0 <= overlap_seconds < longest:
            raise UsageError(
                f"overlap_seconds must be in [0, {longest}), the frames of one context: got {overlap_seconds}; the "
                "paper uses 15 of 30"
            )

    def read(self, film: Film, progress: Callable[[float], None] | None = None) -> FilmReading:
        """Watch the film once.

        Args:
            film: opened, and read once from its start to its end.
            progress: called once a film second with the share that is done, in [0, 1].

        Returns:
            States `[R, D]` with the windows that they belong to, and at most 32 keyframes that look unlike each other
            to the vision tower.
        """
        size = frame_size(film.width, film.height, self.frame_pixels)
        total = frames_to_cover(film.duration_seconds, RATE_HZ)
        picker = KeyframePicker()
        seen = self._see(film, size, total, picker, progress)
        stretches = self._by_windows(seen, total) if self.mode == "windows" else self._streaming(seen, tokens_of(size))
        windows, states = [], []
        for start, stop, rows in stretches:
            windows.append((start, stop))
            states.append(rows)
        return FilmReading(np.concatenate(states), self.name, picker.keyframes(), tuple(windows))

    def describe(self) -> dict[str, object]:
        """Everything that the states depend on besides the film, for cache keys and the manifest."""
        return {
            "eye": self.name,
            **self.vlm.describe(),
            "primer": self.primer,
            "primer_sha256": hashlib.sha256(self.primer.encode()).hexdigest(),
            "frame_pixels": self.frame_pixels,
            "mode": self.mode,
            "window_seconds": self.window_seconds if self.mode == "windows" else None,
            "overlap_seconds": self.overlap_seconds,
            "max_frames": self.max_frames,
        }

    def _see(
        self,
        film: Film,
        size: tuple[int, int],
        total: int,
        picker: KeyframePicker,
        progress: Callable[[float], None] | None,
    ) -> Seen:
        for second, frame in enumerate(film.frames(RATE_HZ, height=size[0])):
            tokens = self.vlm.see(frame.image, size)
            picker.offer(frame.seconds, frame.image, tokens.float().mean(dim=0).cpu().numpy())
            yield second, tokens
            if progress is not None:
                progress((second + 1) / total)

    def _by_windows(self, seen: Seen, total: int) -> Iterator[Stretch]:
        cache, bare = self._begin()
        windows = deque(overlapping_windows(total, self.window_seconds, self.overlap_seconds))
        held: deque[tuple[int, Tensor]] = deque()
        for second, tokens in seen:
            held.append((second, tokens))
            start, stop = windows[0]
            if second + 1 == stop:
                yield start, stop, self._read(held, cache, first=True)
                _cut_back(cache, bare)
                windows.popleft()
                while held and windows and held[0][0] < windows[0][0]:
                    held.popleft()

    def _streaming(self, seen: Seen, tokens_per_frame: int) -> Iterator[Stretch]:
        cache, bare = self._begin()
        limit = self._streaming_limit(tokens_per_frame)
        held: deque[int] = deque(maxlen=self.overlap_seconds)  # tokens of each of the last frames
        rows: list[NDArray[np.float32]] = []
        start = stop = in_context = 0
        for frames in _in_steps(seen, STREAMING_STEP):
            while frames:
                if in_context == limit:
                    yield start, stop, np.concatenate(rows)
                    self.vlm.forget_between(cache, bare, sum(held))
                    start, rows, in_context = stop, [], len(held)
                now, frames = frames[: limit - in_context], frames[limit - in_context :]
                rows.append(self._read(now, cache, first=in_context == 0))
                held.extend(self.vlm.frame_tokens(second, len(tokens)) for second, tokens in now)
                in_context, stop = in_context + len(now), stop + len(now)
        yield start, stop, np.concatenate(rows)

    def _streaming_limit(self, tokens_per_frame: int) -> int:
        """The most frames in a context of the streaming mode."""
        fitting = self._limit(tokens_per_frame)
        if self.max_frames is not None:
            return min(fitting, self.max_frames)
        return min(fitting, STREAMING_OVERLAPS * self.overlap_seconds) if self.overlap_seconds else fitting

    def _begin(self) -> tuple[DynamicCache, int]:
        """A cache that holds the primer, read once for all windows, and its tokens."""
        cache = self.vlm.begin(opening(self.primer))
        return cache, cache.get_seq_length()

    def _read(
        self, frames: deque[tuple[int, Tensor]] | list[tuple[int, Tensor]], cache: DynamicCache, *, first: bool
    ) -> NDArray[np.float32]:
        states = self.vlm.read(
            [float(second) for second, _ in frames], [tokens for _, tokens in frames], cache, first=first
        )
        rows: NDArray[np.float32] = states.cpu().numpy()
        return rows

    def _limit(self, tokens_per_frame: int) -> int:
        return self.vlm.frames_that_fit(opening(self.primer), tokens_per_frame)


def _in_steps(seen: Seen, frames: int) -> Iterator[list[tuple[int, Tensor]]]:
    while step := list(itertools.islice(seen, frames)):
        yield step


def _cut_back(cache: DynamicCache, tokens: int) -> None:
    cache.crop(tokens - cache.get_seq_length())  # the library counts what goes, as a negative number
