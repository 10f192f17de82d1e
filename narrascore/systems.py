"""The systems: which four parts `embedded` and `paper` are made of, and how each is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import torch
from tqdm import tqdm

from narrascore.errors import InputError, ModelUnavailableError, UsageError
from narrascore.eyes import VLM, load_probe, load_vlm, look_with, vlm_source
from narrascore.hub import refuse_unless_commercial
from narrascore.parts import Off, SystemSettings
from narrascore.perception.anchor_reader import AnchorReader, load_anchor_reader
from narrascore.perception.anchor_settings import ReaderName
from narrascore.perception.cinematic import CinematicEye
from narrascore.perception.cinematic_probe import CinematicProbe
from narrascore.perception.probe import AffectProbe, ProbeEnsemble
from narrascore.perception.vlm_eye import VlmEye
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.decoding import Sampling
from narrascore.synthesis.musicgen import EMBEDDED_FOLDER, FrozenMusicGen
from narrascore.synthesis.score_codec import ScoreCodec

Own = TypeVar("Own")

MUSIC = {"embedded": str(EMBEDDED_FOLDER), "musicgen": "facebook/musicgen-small"}
SYSTEMS = {"embedded": "embedded", "paper": "musicgen"}
"""System -> its music."""
EYES = {"embedded": "cinematic", "paper": "vlm"}
"""System -> its eye."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Parts:
    """What a pipeline is built from, under the names of its arguments."""

    eye: CinematicEye | VlmEye
    probe: CinematicProbe | AffectProbe | ProbeEnsemble
    conceive: AnchorReader
    musicgen: FrozenMusicGen
    adapter: AffectAdapter | None
    system: str
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Sources:
    """Where a system's parts come from.

    Attributes:
        eye: `cinematic`, `vlm`, or the folder or id of a VideoLLaMA3, as asked for.
        reader: who conceives the anchor.
        vlm: folder or id of the vision model that is needed, if one is.
        vlm_looks: whether it reads the curve too.
        music: folder or id of the music model.
    """

    eye: str
    reader: ReaderName
    vlm: str | None
    vlm_looks: bool
    music: str


def choose_sources(settings: SystemSettings) -> Sources:
    """What a system needs, before any of it is loaded.

    Raises:
        UsageError: if there is no such system.
        ModelUnavailableError: if a licence is refused.
    """
    name = settings.system
    if name not in SYSTEMS and not Path(name).is_dir():
        raise UsageError(f"system {name!r}: choose embedded, paper, or the folder of a music model")
    eye = settings.eye or EYES.get(name, "cinematic")
    reader = settings.anchor.reader or ("cinematic" if eye == "cinematic" else "vlm")
    own_vlm = vlm_source(eye)
    looks = own_vlm is not None and settings.probe is not None
    vlm = (own_vlm or VLM) if looks or reader == "vlm" else None
    music = settings.music or SYSTEMS.get(name, name)
    source = MUSIC.get(music, music)
    if settings.require_commercial:
        refuse_unless_commercial([source] if vlm is None else [vlm, source])
    return Sources(eye, reader, vlm, looks, source)


def load_parts(settings: SystemSettings) -> Parts:
    """Load the four parts of a system.

    Raises:
        ModelUnavailableError: if one is not at hand, or its licence was refused.
        UsageError: if they do not fit together.
    """
    warnings: list[str] = []
    chosen = choose_sources(settings)
    device = choose_device(settings.device)
    vlm = load_vlm(chosen.vlm, settings.vlm, device=device, offline=settings.offline) if chosen.vlm else None
    if vlm_source(chosen.eye) is not None and not chosen.vlm_looks:
        warnings.append(
            f"no trained probe for the eye {chosen.eye}: the eye cinematic reads the curve instead; train one with "
            "scripts/train_probe.py and give its folder by --probe"
        )
    eye = look_with(vlm if chosen.vlm_looks else None, settings)
    probe = (
        load_probe(settings.probe, eye, allow_mode_mismatch=settings.allow_mode_mismatch)
        if settings.probe
        else CinematicProbe()
    )
    musicgen = load_music(
        chosen.music, device=device, dtype=settings.dtype, engine=settings.engine, offline=settings.offline,
        soundfont=settings.soundfont,
    )  # fmt: skip
    musicgen.sampling = _guide(musicgen.sampling, settings)
    conceive = load_anchor_reader(
        replace(settings.anchor, reader=chosen.reader), eye=eye.name, vlm=vlm,
        prefer_lexicon=isinstance(musicgen.codec, ScoreCodec), offline=settings.offline, notify=tqdm.write,
    )  # fmt: skip
    steering = load_adapter(chosen.music, settings.adapter, musicgen, device) if settings.steer else None
    if steering is None and settings.steer:
        warnings.append(
            "no trained adapter for this music model: its gates stay closed and the music does not follow the curve; "
            "train one with scripts/train_adapter.py, or make one without labels by init=steering train=false, "
            "and give its folder by --adapter"
        )
    return Parts(eye, probe, conceive, musicgen, steering, settings.system, tuple(warnings))


def load_music(
    music: str | Path,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    engine: str = "auto",
    offline: bool = False,
    soundfont: str | Path | None = None,
) -> FrozenMusicGen:
    """Load a music model: `embedded`, `musicgen`, a folder or an id on the hub.

    Raises:
        ModelUnavailableError: if it is not at hand.
        UsageError: if the dtype, the engine or the sound font is none.
    """
    source = MUSIC.get(str(music), str(music))
    if source == MUSIC["embedded"] and not (EMBEDDED_FOLDER / "config.json").is_file():
        raise ModelUnavailableError(
            f"the embedded music model is missing in {EMBEDDED_FOLDER}: install narrascore anew, or make the model "
            "with recipes/embedded"
        )
    if dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r}: choose one of {', '.join(DTYPES)}")
    if soundfont is not None and not Path(soundfont).is_file():
        raise UsageError(f"sound font {soundfont}: not a file; give an SF2 file")
    return FrozenMusicGen.from_pretrained(
        source,
        device=device,
        dtype=DTYPES[dtype],
        engine=engine,
        offline=offline,
        soundfont=None if soundfont is None else Path(soundfont),
    )


def load_adapter(source: str, folder: str | Path | None, musicgen: FrozenMusicGen, device: str) -> AffectAdapter | None:
    """The adapter asked for, else the one that lies beside the music model, else None.

    Raises:
        InputError: if the adapter was trained for another music model.
    """
    if folder is None and not (Path(source) / "adapter.json").is_file():
        return None
    adapter = AffectAdapter.load(source if folder is None else folder)
    if adapter.width != musicgen.width or max(adapter.blocks) >= musicgen.blocks:
        raise InputError(
            f"adapter {folder}: made for width {adapter.width} and blocks up to {max(adapter.blocks)}, but the music "
            f"model has width {musicgen.width} and {musicgen.blocks} blocks; train one for this model"
        )
    return adapter.to(device)


def _guide(sampling: Sampling, settings: SystemSettings) -> Sampling:
    try:
        return replace(
            sampling,
            text_guidance=_strength(settings.text_guidance, sampling.text_guidance),
            control_guidance=_strength(settings.control_guidance, sampling.control_guidance),
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _strength(asked: float | Off | None, own: Own) -> float | Own:
    if asked is None:
        return own
    return 1.0 if asked == "off" else asked


def choose_device(name: str) -> str:
    """What `auto` means on this machine, and any other name as it is."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device {name}: no CUDA device is at hand; use cpu or auto")
    return name
