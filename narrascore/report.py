"""Pictures of a score: its figure, with what sounds, what was felt and what was seen on one time axis, and what the
report page shows of sound and film."""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from narrascore.affect import AffectCurve
from narrascore.cues import Seconds
from narrascore.media.audio import read_wav
from narrascore.media.output import replacing

SPECTRUM_RATE_HZ = 32_000
FFT_SAMPLES, HOP_SAMPLES = 2048, 512
MEL_BANDS = 96
LOWEST_HZ, HIGHEST_HZ = 30.0, 16_000.0
MAX_COLUMNS = 1600
"""More columns than this are no longer seen, so a longer film averages more spectra into each."""
DYNAMIC_RANGE_DB = 70.0
STRIP_SHARE, WIDEST_ASPECT = 0.92, 3 / 2
"""How much of the strip's height the pictures take, and beyond which width over height their sides are cut."""
COLOURS = "magma"

VALENCE, AROUSAL = "#0072b2", "#d55e00"
"""Blue and vermilion of Okabe and Ito, told apart by every kind of colour vision; in grey the dashes tell."""
DASHES = (0, (5, 2))
"""Of valence."""
JPEG = {"quality": 85, "subsampling": 0}


def draw_figure(
    path: Path,
    music: Path | NDArray[np.float32],
    curve: AffectCurve,
    keyframes: list[tuple[float, NDArray[np.uint8]]],
    *,
    duration_seconds: float,
    title: str,
    border_seconds: list[float],
    gap_seconds: Sequence[tuple[Seconds, Seconds]] = (),
    spread: NDArray[np.float32] | None = None,
) -> None:
    """Draw keyframes, curve and mel spectrogram above one another as a PNG.

    Args:
        path: the picture.
        music: a WAV, or what `read_spectrogram` made of it.
        curve: in film time.
        keyframes: (film time, `[h, w, 3]` RGB) in time order.
        duration_seconds: of the film.
        title: the anchor's sentence.
        border_seconds: where the windows' new parts begin.
        gap_seconds: (start, stop) of where there is no music: shaded.
        spread: how unsure the curve is, as a standard deviation `[F, 2]` of each second: drawn as a band.
    """
    figure = Figure(figsize=(14, 8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    strip, felt, heard = figure.subplots(3, 1, sharex=True, height_ratios=[1.05, 1.6, 2.4])
    # A user's sentence may hold a dollar sign, which is no formula here.
    figure.suptitle("\n".join(textwrap.wrap(title, 110)), fontsize=13, parse_math=False)
    _draw_curve(felt, curve, duration_seconds)
    if spread is not None:
        _draw_band(felt, curve, spread)
    bands = read_spectrogram(music, duration_seconds) if isinstance(music, Path) else music
    image = draw_spectrogram(heard, bands, duration_seconds, COLOURS)
    heard.set_xlabel("film time (min:s)")
    mark_film_time(heard, duration_seconds)
    figure.colorbar(image, ax=heard, label="level (dB below the loudest)", pad=0.01, aspect=30)
    for index, border in enumerate(border_seconds):
        for axes in (felt, heard):
            axes.axvline(
                border, color="grey" if axes is felt else "white", linestyle=":", linewidth=1, alpha=0.7,
                label="window border" if axes is felt and index == 0 else None,
            )  # fmt: skip
    for index, (start, stop) in enumerate(gap_seconds):
        for axes in (felt, heard):
            label = "no music" if axes is felt and index == 0 else None
            axes.axvspan(float(start), float(stop), color="grey", alpha=0.3, linewidth=0, label=label)
    felt.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False, borderaxespad=0.1)
    _save(path, figure, strip, keyframes, duration_seconds)


def draw_reading(
    path: Path,
    curve: AffectCurve,
    keyframes: list[tuple[float, NDArray[np.uint8]]],
    *,
    duration_seconds: float,
    title: str,
    spread: NDArray[np.float32] | None = None,
) -> None:
    """Draw keyframes and curve above one another as a PNG, before there is any music; `draw_figure` has the rest."""
    figure = Figure(figsize=(14, 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    strip, felt = figure.subplots(2, 1, sharex=True, height_ratios=[1.05, 1.9])
    figure.suptitle("\n".join(textwrap.wrap(title, 110)), fontsize=13, parse_math=False)
    _draw_curve(felt, curve, duration_seconds)
    if spread is not None:
        _draw_band(felt, curve, spread)
    felt.set_xlabel("film time (min:s)")
    mark_film_time(felt, duration_seconds)
    felt.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderaxespad=0.1)
    _save(path, figure, strip, keyframes, duration_seconds)


def _save(
    path: Path, figure: Figure, strip: Any, keyframes: list[tuple[float, NDArray[np.uint8]]], duration_seconds: float
) -> None:
    """Draw the pictures into the strip, whose size the others decide, and write the whole."""
    with replacing(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a sentence in a script that the font lacks shows boxes
        layout = figure.get_layout_engine()
        if layout is not None:
            layout.execute(figure)  # now the strip has its size, and keeps it
            figure.set_layout_engine("none")
        _draw_keyframes(strip, keyframes, duration_seconds)
        # The software's name and version would make equal figures unequal files.
        figure.savefig(partial, format="png", metadata={"Software": None})


def draw_spectrogram(axes: Any, bands: NDArray[np.float32], duration_seconds: float, colours: str) -> Any:
    """Draw a mel spectrogram with its frequencies marked; the picture, for a colour bar.

    Args:
        axes: where.
        bands: of `mel_spectrogram`.
        duration_seconds: of the film.
        colours: a colour map of matplotlib's.
    """
    image = axes.imshow(
        bands, origin="lower", aspect="auto", cmap=colours, extent=(0, duration_seconds, 0, MEL_BANDS),
        vmin=-DYNAMIC_RANGE_DB, vmax=0, interpolation="nearest",
    )  # fmt: skip
    marks_hz = [100, 250, 500, 1000, 2000, 4000, 8000]
    axes.set_yticks([MEL_BANDS * mel_share(hz) for hz in marks_hz], [f"{hz:g}" for hz in marks_hz])
    axes.set_ylabel("music: frequency (Hz, mel)")
    return image


def mark_film_time(axes: Any, duration_seconds: float) -> None:
    """Mark the horizontal axis in minutes and seconds of the film."""
    axes.set_xlim(0, duration_seconds)
    steps = [1, 2, 5, 10] if duration_seconds < 14 else [1, 1.5, 3, 6, 10]
    axes.xaxis.set_major_locator(MaxNLocator(nbins=14, steps=steps))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: clock(seconds, duration_seconds)))


def read_spectrogram(music: Path, duration_seconds: float) -> NDArray[np.float32]:
    """The mel spectrogram of a WAV; see `mel_spectrogram`."""
    return mel_spectrogram(read_wav(music, sample_rate_hz=SPECTRUM_RATE_HZ, layout="stereo"), duration_seconds)


def picture_spectrogram(bands: NDArray[np.float32]) -> bytes:
    """A mel spectrogram `[MEL_BANDS, columns]` as a JPEG without axes, low frequencies at the bottom."""
    shares = (bands[::-1] + DYNAMIC_RANGE_DB) / DYNAMIC_RANGE_DB
    return encode_jpeg(np.repeat(colormaps[COLOURS](shares, bytes=True)[..., :3], 2, axis=0))


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """A picture `[h, w, 3]` RGB as JPEG; equal pictures are equal bytes."""
    out = io.BytesIO()
    imsave(out, np.ascontiguousarray(image), format="jpeg", pil_kwargs=dict(JPEG))
    return out.getvalue()


def choose_keyframes(
    keyframes: list[tuple[float, NDArray[np.uint8]]], duration_seconds: float, cells: int
) -> list[tuple[int, float, NDArray[np.uint8]]]:
    """One picture for each of so many even stretches of a film, if it has any: the one nearest to its middle.

    Returns:
        (cell, film time, `[h, w, 3]`) in time order.
    """
    cell_seconds, chosen = duration_seconds / cells, []
    for cell in range(cells):
        middle = (cell + 0.5) * cell_seconds
        inside = [frame for frame in keyframes if cell == min(int(frame[0] / cell_seconds), cells - 1)]
        if inside:
            chosen.append((cell, *min(inside, key=lambda frame: abs(frame[0] - middle))))
    return chosen


def mel_spectrogram(sound: Iterable[NDArray[np.float32]], duration_seconds: float) -> NDArray[np.float32]:
    """Turn sound, block by block, into a picture of at most `MAX_COLUMNS` columns.

    Each column is the mean power of the spectra that begin in its stretch of time, all channels averaged.

    Args:
        sound: `[C, n]` at `SPECTRUM_RATE_HZ`.
        duration_seconds: of the film.

    Returns:
        `[MEL_BANDS, columns]`, dB below the loudest band, at least -`DYNAMIC_RANGE_DB`.
    """
    # Somewhat fewer columns than spectra, so that none stays empty.
    columns = int(np.clip(0.9 * duration_seconds * SPECTRUM_RATE_HZ / HOP_SAMPLES, 1, MAX_COLUMNS))
    filters, window = mel_filters(), np.hanning(FFT_SAMPLES).astype(np.float32)
    power = np.zeros((MEL_BANDS, columns))
    spectra = np.zeros(columns)
    hop = HOP_SAMPLES
    held, position = np.zeros(0, dtype=np.float32), 0
    # Half a window of silence on both sides, so that every stretch of time has a spectrum of its own.
    for block in _padded(sound, FFT_SAMPLES // 2):
        held = np.concatenate([held, block])
        count = max(0, (len(held) - FFT_SAMPLES) // hop + 1)
        if count == 0:
            continue
        frames = np.lib.stride_tricks.sliding_window_view(held, FFT_SAMPLES)[: count * hop : hop]
        energy = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32) ** 2 @ filters.T
        seconds = (position + hop * np.arange(count)) / SPECTRUM_RATE_HZ
        column = np.clip((seconds / duration_seconds * columns).astype(int), 0, columns - 1)
        np.add.at(power.T, column, energy)
        np.add.at(spectra, column, 1)
        held, position = held[count * hop :], position + count * hop
    mean = power / np.maximum(spectra, 1)
    decibels = 10 * np.log10(np.maximum(mean, 1e-12) / max(mean.max(), 1e-12))
    result: NDArray[np.float32] = np.maximum(decibels, -DYNAMIC_RANGE_DB).astype(np.float32)
    return result


def mel_filters() -> NDArray[np.float32]:
    """Triangles of equal width on the mel scale, `[MEL_BANDS, FFT_SAMPLES / 2 + 1]`, each with the sum 1."""
    edges = _hz(np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), MEL_BANDS + 2))
    bins = np.linspace(0, SPECTRUM_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    # The lowest triangles can fall between two bins: those hear the bin that is nearest.
    for row in np.flatnonzero(triangles.sum(axis=1) == 0):
        triangles[row, np.abs(bins - edges[row + 1]).argmin()] = 1
    result: NDArray[np.float32] = (triangles / triangles.sum(axis=1, keepdims=True)).astype(np.float32)
    return result


def mel_share(hz: float) -> float:
    """Where a frequency lies between the lowest and the highest, in [0, 1]."""
    return float((_mel(hz) - _mel(LOWEST_HZ)) / (_mel(HIGHEST_HZ) - _mel(LOWEST_HZ)))


def clock(seconds: float, duration_seconds: float, digits: int | None = None) -> str:
    """Film time as is usual for a film of that length: `1:02:03`, `2:03`, `0:03.4`; with so many digits, if given."""
    digits = (1 if duration_seconds < 14 else 0) if digits is None else digits
    minutes, rest = divmod(round(max(seconds, 0.0), digits), 60)
    text = f"{rest:0{3 + digits if digits else 2}.{digits}f}"
    return (
        f"{int(minutes // 60)}:{int(minutes % 60):02d}:{text}" if duration_seconds >= 3600 else f"{int(minutes)}:{text}"
    )


def _draw_keyframes(axes: Any, keyframes: list[tuple[float, NDArray[np.uint8]]], duration_seconds: float) -> None:
    """One picture for each stretch of time as wide as a picture; a tick below it marks its moment."""
    axes.set_yticks([])
    axes.set_ylabel("keyframes")
    axes.tick_params(bottom=False)
    box = axes.get_window_extent()
    cells = max(1, int(box.width / (STRIP_SHARE * box.height * WIDEST_ASPECT)))
    cell_seconds = duration_seconds / cells
    for cell, seconds, image in choose_keyframes(keyframes, duration_seconds, cells):
        middle = (cell + 0.5) * cell_seconds
        height, width = image.shape[:2]
        spare = max(0, width - round(height * WIDEST_ASPECT)) // 2
        image = image[:, spare : width - spare]
        half = STRIP_SHARE * box.height / box.width * duration_seconds * image.shape[1] / height / 2
        axes.imshow(image, extent=(middle - half, middle + half, 1 - STRIP_SHARE, 1), aspect="auto")
        axes.plot([seconds, seconds], [0, 1 - STRIP_SHARE], color="black", linewidth=1.5)
    axes.set_xlim(0, duration_seconds)
    axes.set_ylim(0, 1)


def _draw_band(axes: Any, curve: AffectCurve, spread: NDArray[np.float32]) -> None:
    seconds = np.arange(len(spread))
    values = curve.at(seconds)
    for column, colour in ((1, AROUSAL), (0, VALENCE)):
        low, high = values[:, column] - spread[:, column], values[:, column] + spread[:, column]
        axes.fill_between(seconds, low, high, color=colour, alpha=0.2, linewidth=0)


def _draw_curve(axes: Any, curve: AffectCurve, duration_seconds: float) -> None:
    points = min(len(curve), MAX_COLUMNS)
    seconds = np.linspace(0, duration_seconds, max(points, 2))
    values = curve.at(seconds)
    axes.axhline(0, color="lightgrey", linewidth=1)
    axes.plot(seconds, values[:, 1], color=AROUSAL, linewidth=1.8, label="arousal")
    axes.plot(seconds, values[:, 0], color=VALENCE, linewidth=1.8, linestyle=DASHES, label="valence")
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.set_ylabel("affect curve")


def _padded(sound: Iterable[NDArray[np.float32]], silence_samples: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of sound as mono, with silence before and after."""
    yield np.zeros(silence_samples, dtype=np.float32)
    for block in sound:
        yield block.mean(axis=0)
    yield np.zeros(2 * silence_samples, dtype=np.float32)


def _mel(hz: Any) -> Any:
    """Hertz to mel (O'Shaughnessy 1987)."""
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


def _hz(mel: Any) -> Any:
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)
