"""`narrascore score`: films in, films with music out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from narrascore.anchor import MAX_FIELD_CHARACTERS
from narrascore.cli.film_list import find_films
from narrascore.cli.records import Emit, film_record, records
from narrascore.cli.words import Parser, strength
from narrascore.errors import NarraScoreError, SomeFilmsFailedError, UsageError
from narrascore.media.mix_settings import MixSettings
from narrascore.parts import SystemSettings

if TYPE_CHECKING:
    from narrascore.job import JobResult, ScoreOptions
    from narrascore.pipeline import Pipeline
    from narrascore.reading_ahead import EyeAhead

USAGE = "FILM|FOLDER|LIST.txt [...] [flags] [key=value ...]"
DESCRIPTION = """\
Write the music for films. Beside each FILM come FILM.scored.mp4 and the folder FILM.narrascore/ with the music, the
affect curve, the anchor and a report. A run that was stopped goes on when the same command is given again. A FOLDER
stands for the films in it, a LIST.txt for those it names, one a line. After a bare -- everything is the name of a
film. Times are seconds, MM:SS or HH:MM:SS."""
PATHS_AND_TEXT = (
    "output", "curve", "cues", "markers", "prompt", "eye", "probe", "music", "adapter", "soundfont", "separation",
    "redo", "start", "stop",
)  # fmt: skip
FAILED = "failed"
MOST_TAKES = 32


@dataclass(frozen=True, kw_only=True)
class ScoreSettings(SystemSettings):
    """The settings of `configs/score.yaml`, which says what each of them means."""

    output: Path | None
    audio: Literal["duck", "mix", "replace", "music-only"] | None
    mix: MixSettings
    deliver: bool
    prompt: str | None
    curve: Path | None
    clip_curve: bool
    cues: Path | None
    spot: Literal["auto"] | None
    still_seconds: float
    curve_smoothing_seconds: float
    curve_gain: float
    curve_offset: tuple[float, float]
    markers: Path | None
    at: tuple[str, ...]
    seed: int
    stems: bool
    separation: str
    force: bool
    redo: str | None
    take: int
    takes: int
    keep_takes: Literal["codes", "sound"] | None
    start: str | None
    stop: str | None
    engine_change: bool
    batch: int

    def __post_init__(self) -> None:
        if len(self.prompt or "") > MAX_FIELD_CHARACTERS:
            raise ValueError(
                f"prompt is one sentence of at most {MAX_FIELD_CHARACTERS} characters: got {len(self.prompt or '')}"
            )
        if self.curve_smoothing_seconds < 0:
            raise ValueError(f"curve_smoothing_seconds must not be negative: got {self.curve_smoothing_seconds:g}")
        if self.batch < 1:
            raise ValueError(f"batch is at least one window: got {self.batch}")
        if self.take < 1:
            raise ValueError(f"take counts from 1: got {self.take}")
        if not 1 <= self.takes <= MOST_TAKES:
            raise ValueError(f"takes is how many are drawn of each window, 1 to {MOST_TAKES}: got {self.takes}")


def run(words: Sequence[str]) -> int:
    """Score every film named; one that fails does not stop the others.

    Raises:
        SomeFilmsFailedError: if some of several failed. Of one film the error itself is raised.
    """
    return run_on_films(_parser(), words)


def run_on_films(parser: Parser, words: Sequence[str], *, only_read: bool = False) -> int:
    """Do what a parser with these flags makes of a command line; see `run`.

    Args:
        parser: of `add_flags`.
        words: the command line.
        only_read: stop when curve and anchor are there.
    """
    line = parser.take_apart(words)
    if not line.names:
        raise UsageError(f"no film is named; {parser.prog} FILM, and {parser.prog} --help tells more")
    from narrascore.cli.config import compose_settings
    from narrascore.cli.settings import read_settings

    dry_run = line.flags.pop("dry_run", False)
    if "at" in line.flags:
        line.flags["at"] = [" ".join(pair) for pair in line.flags["at"]]
    composed = compose_settings(
        "score", line.flags, line.overrides, groups=("system", "primer"), verbatim=PATHS_AND_TEXT
    )
    settings = read_settings(ScoreSettings, composed)
    films = find_films(line.names)
    if len(films) > 1 and settings.output is not None and settings.output.suffix and not settings.output.is_dir():
        raise UsageError(f"-o {settings.output}: several films need a folder, not one file")
    with contextlib.ExitStack() as stack:
        # The cinematic eye begins now; any other has to be loaded first.
        cinematic = settings.eye in (None, "cinematic") and settings.system != "paper"
        eye = stack.enter_context(closing(_begin_reading(films[0], settings))) if cinematic and not dry_run else None
        options = _options(settings, only_read)
        emit = stack.enter_context(records(line.json))
        print(_greeting(settings), flush=True)
        if dry_run:
            from narrascore.cli.dry_run import tell_plans

            return tell_plans(films, settings, options, emit)
        return _score_all(films, settings, options, emit, eye)


def _begin_reading(path: Path, settings: ScoreSettings) -> EyeAhead:
    """Watch a film, unless it was watched before."""
    from narrascore.manifest import find_folder
    from narrascore.media.film import Film
    from narrascore.reading_ahead import EyeAhead

    def find() -> Film | None:
        film = Film.open(path, still_seconds=settings.still_seconds)
        folder, _ = find_folder(film.path, film.identity(), settings.output)
        return None if (folder / "reading").is_dir() else film

    return EyeAhead(find)


def _score_all(
    films: list[Path], settings: ScoreSettings, options: ScoreOptions, emit: Emit, eye: EyeAhead | None
) -> int:
    from narrascore.cli.progress import CommonBar, FilmBars
    from narrascore.job import score_films

    broken: list[NarraScoreError] = []

    @cache
    def load() -> Pipeline:
        try:
            return _load(settings, eye)
        except NarraScoreError as error:
            broken.append(error)
            raise

    rows: dict[Path, tuple[str, str, str]] = {}
    bars = CommonBar(len(films)) if options.batch > 1 and len(films) > 1 else FilmBars()
    with closing(score_films(load, films, options, bars.show)) as outcomes:
        for film, outcome in outcomes:
            bars.end(film)
            emit(film_record("read" if options.only_read else "score", film, outcome))
            if isinstance(outcome, NarraScoreError):
                # What stops one film stops all of them if it is the system itself.
                if len(films) == 1 or outcome in broken:
                    raise outcome
                print(f"narrascore: {outcome}", file=sys.stderr, flush=True)
                rows[film] = film.name, FAILED, str(outcome)
                continue
            _tell(film, outcome, options)
            words = ("read", "read before") if options.only_read else ("scored", "finished before")
            done = words[outcome.already_finished]
            rows[film] = film.name, done, str(outcome.film or outcome.folder)
    if len(films) > 1:
        _sum_up([rows[film] for film in films])
    failed = sum(1 for _, done, _ in rows.values() if done == FAILED)
    if failed:
        verb = "read" if options.only_read else "scored"
        raise SomeFilmsFailedError(f"{failed} of {len(films)} films could not be {verb}, for the reasons above")
    return 0


def _sum_up(rows: list[tuple[str, str, str]]) -> None:
    """A line for each film: its name, what came of it, and where that lies or why not."""
    wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
    print("\n".join(f"{name:<{wide[0]}}  {done:<{wide[1]}}  {what}" for name, done, what in rows), flush=True)


def _load(settings: ScoreSettings, eye: EyeAhead | None) -> Pipeline:
    from narrascore.pipeline import Pipeline

    pipeline = Pipeline.from_settings(settings)
    pipeline.eye = eye or pipeline.eye
    return pipeline


def _options(settings: ScoreSettings, only_read: bool) -> ScoreOptions:
    from narrascore.directions import parse_directions
    from narrascore.job import ScoreOptions
    from narrascore.spans import choose_part, parse_seconds, parse_spans

    start, stop = (None if text is None else parse_seconds(text) for text in (settings.start, settings.stop))
    return ScoreOptions(
        output=settings.output,
        audio=settings.audio,
        mix=settings.mix,
        deliver=settings.deliver,
        prompt=settings.prompt or "",
        curve_path=settings.curve,
        clip_curve=settings.clip_curve,
        cues_path=settings.cues,
        spot=settings.spot,
        still_seconds=settings.still_seconds,
        curve_smoothing_seconds=settings.curve_smoothing_seconds,
        curve_gain=settings.curve_gain,
        curve_offset=settings.curve_offset,
        markers_path=settings.markers,
        at=parse_directions(settings.at),
        seed=settings.seed,
        stems=settings.stems,
        separation=settings.separation,
        offline=settings.offline,
        force=settings.force,
        redo=() if settings.redo is None else parse_spans(settings.redo),
        take=settings.take,
        takes=settings.takes,
        keep_takes=settings.keep_takes,
        part=choose_part(start, stop),
        engine_change=settings.engine_change,
        batch=settings.batch,
        only_read=only_read,
    )


def _greeting(settings: ScoreSettings) -> str:
    if settings.system == "embedded":
        return "system: embedded (nothing is downloaded; --system paper takes the paper's models from the hub)"
    return f"system: {settings.system}"


def _tell(film: Path, result: JobResult, options: ScoreOptions) -> None:
    for warning in result.warnings:
        print(f"warning: {film.name}: {warning}", file=sys.stderr)
    if result.already_finished:
        done = "read" if options.only_read else "finished"
        print(f"{film.name}: {done} before and nothing has changed; --force makes it anew")
    if result.version is not None:
        print(f"{film.name}: the earlier results are in {result.version}")
    if result.stage_seconds:
        stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.stage_seconds.items())
        print(f"{film.name}: {stages}; {sum(result.stage_seconds.values()):.1f} s in all{_peak_memory()}")
    read = [result.folder / name for name in ("curve.csv", "curve.png", "anchor.json")]
    for path in read if options.only_read else (result.film, result.folder):
        if path is not None:
            print(path)
    sys.stdout.flush()


def _peak_memory() -> str:
    """The most memory that this process has had, on a GPU too; empty where the system does not tell."""
    import torch

    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return ""
    unit = 1 if sys.platform == "darwin" else 1024
    told = f"; peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit >> 20} MiB"
    if torch.cuda.is_available():
        told += f", on the GPU {torch.cuda.max_memory_allocated() >> 20} MiB"
    return told


def _parser() -> Parser:
    return add_flags(Parser("score", DESCRIPTION, USAGE, json=True))


def add_flags(parser: Parser) -> Parser:
    """Give a parser the flags of `narrascore score`."""
    parser.add_argument("-o", "--output", metavar="PATH", help="a folder for the results, or the scored film's path")
    parser.add_argument("--system", metavar="NAME", help="embedded (default), paper, or a music model's folder")
    parser.add_argument("--eye", metavar="NAME", help="cinematic, vlm, or the folder or id of a VideoLLaMA3")
    parser.add_argument("--probe", metavar="FOLDER", help="a trained probe, or a folder of several")
    parser.add_argument(
        "--allow-mode-mismatch", action="store_true", help="use a probe in another mode than it was trained with"
    )
    parser.add_argument("--primer", metavar="NAME", help="what the eye vlm is told first: a name of configs/primer")
    parser.add_argument("--vlm-mode", dest="vlm.mode", choices=("windows", "streaming"), help="how it reads on")
    parser.add_argument("--music", metavar="NAME", help="embedded, musicgen, a folder or an id on the hub")
    parser.add_argument("--adapter", metavar="FOLDER", help="a trained adapter")
    parser.add_argument(
        "--anchor", dest="anchor.reader", metavar="NAME", help="who conceives the music: cinematic, vlm, api or none"
    )
    parser.add_argument(
        "--instruction", dest="anchor.instruction", metavar="NAME",
        help="how: hmc, the paper's musical schema, or plain, a caption of what is seen",
    )  # fmt: skip
    parser.add_argument(
        "--no-steer", dest="steer", action="store_false", help="play the music model alone, without the curve"
    )
    parser.add_argument(
        "--audio", choices=("duck", "mix", "replace", "music-only"),
        help="duck under the film's own sound (default where there is any), mix with it at one level, replace it, or "
        "write no film",
    )  # fmt: skip
    parser.add_argument("--audio-track", dest="mix.track", type=int, metavar="N", help="the film's sound track mixed")
    parser.add_argument("--duck", dest="mix.duck_db", type=float, metavar="DB", help="how far down (default 8)")
    parser.add_argument("--fade-in", dest="mix.fade_in_seconds", type=float, metavar="S", help="of the music")
    parser.add_argument("--fade-out", dest="mix.fade_out_seconds", type=float, metavar="S", help="of the music")
    parser.add_argument(
        "--loudness", dest="mix.loudness", type=strength, metavar="LUFS",
        help="of the scored film: -14, -16, -23, -24, ...; off (default) keeps the level of the film's own sound",
    )  # fmt: skip
    parser.add_argument("--deliver", action="store_true", help="also 48 kHz WAVs of music and mix, and markers")
    parser.add_argument("--prompt", metavar="TEXT", help="the music asked for, instead of what the eye conceives")
    parser.add_argument("--curve", metavar="CSV", help="time_seconds,valence,arousal, instead of what the eye reads")
    parser.add_argument("--clip-curve", action="store_true", help="bring its values into [-1, 1], not refuse them")
    parser.add_argument(
        "--cues", metavar="CSV", help="where there is music: in_seconds,out_seconds,fade_in_seconds,..."
    )
    parser.add_argument("--spot", choices=("auto",), help="propose where there is music, instead of everywhere")
    parser.add_argument("--still-seconds", type=float, metavar="S", help="how long a picture is shown (default 5)")
    parser.add_argument(
        "--curve-smoothing", dest="curve_smoothing_seconds", type=float, metavar="S",
        help="smooth the curve by a Gaussian of this standard deviation (default 0)",
    )  # fmt: skip
    parser.add_argument("--curve-gain", type=float, metavar="G", help="stretch the curve about zero (default 1)")
    parser.add_argument(
        "--curve-offset", type=float, nargs=2, metavar=("V", "A"), help="shift valence and arousal (default 0 0)"
    )
    parser.add_argument(
        "--markers", metavar="CSV", help="markers that bend the curve, as --deliver or an editor writes"
    )
    parser.add_argument(
        "--at", nargs=2, action="append", metavar=("SPAN", "WISH"),
        help="ask something of one stretch of the film, such as 01:10-01:25 arousal=0.9; may be given again",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, metavar="N", help="another seed is another piece (default 0)")
    parser.add_argument("--device", metavar="NAME", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), help="of the music (default float32)")
    parser.add_argument(
        "--engine", choices=("auto", "exact", "bf16", "int8"), help="how the music model is played (default auto)"
    )
    parser.add_argument("--text-guidance", type=strength, metavar="S", help="how much the sentence counts, or off")
    parser.add_argument("--control-guidance", type=strength, metavar="S", help="how much the curve counts, or off")
    parser.add_argument("--soundfont", metavar="SF2", help="another sound font for music written as notes")
    parser.add_argument(
        "--stems", action="store_true", help="one sound file per voice group as well, of MusicGen's sound by Demucs"
    )
    parser.add_argument("--separation", metavar="NAME", help="Demucs' weights for that: htdemucs, a file or a folder")
    parser.add_argument("--force", action="store_true", help="make everything anew; an edited curve is kept")
    parser.add_argument(
        "--redo", metavar="SPANS", help="draw these spans again, such as 00:42-00:58;01:30-02:00, and keep the rest"
    )
    parser.add_argument("--take", type=int, metavar="N", help="which draw of them (default 1)")
    parser.add_argument(
        "--takes", type=int, metavar="N", help="draw each window N times at once and go on from the best (default 1)"
    )
    parser.add_argument("--keep-takes", choices=("codes", "sound"), help="keep the other takes in takes/ as well")
    parser.add_argument("--from", dest="start", metavar="TIME", help="only the music of a part, from here ...")
    parser.add_argument("--to", dest="stop", metavar="TIME", help="... to here; beside the whole film's")
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be done, how long it takes and what it needs"
    )
    parser.add_argument(
        "--engine-change", action="store_true", help="go on from windows of another version, processor or engine"
    )
    parser.add_argument("--batch", type=int, metavar="N", help="compose windows of so many films at once (default 1)")
    parser.add_argument("--offline", action="store_true", help="never ask the hub, nor any other host")
    parser.add_argument("--require-commercial", action="store_true", help="refuse weights without a commercial licence")
    return parser
