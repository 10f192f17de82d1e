"""The decoding loop: the library's tokens, the control's place in time, and closed gates."""

import dataclasses
from pathlib import Path

import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.synthesis import decoding
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.composing import compose_window, noise_of
from narrascore.synthesis.decoder import TextCondition, run_decoder
from narrascore.synthesis.decoding import Guidance, Sampling, generate, log_waiting_times, sample
from narrascore.synthesis.delays import delay_codes, teacher_forcing
from narrascore.synthesis.engine import Engine
from narrascore.synthesis.injection import all_gates, inject, open_gates
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codes import HOLD
from narrascore.windows import Window
from tests.synthesis.tiny import open_adapter, tiny_encodec_musicgen, tiny_score_musicgen

GREEDY = Sampling(temperature=0.0, text_guidance=3.0)


@pytest.fixture(scope="module", params=["mono", "stereo"])
def musicgen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    folder = tiny_encodec_musicgen(tmp_path_factory.mktemp(request.param), stereo=request.param == "stereo")
    return FrozenMusicGen.from_pretrained(folder, engine="exact")


@pytest.fixture(scope="module")
def score_musicgen(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    return FrozenMusicGen.from_pretrained(tiny_score_musicgen(tmp_path_factory.mktemp("score")), engine="exact")


def curve_of(rows: int = 40) -> AffectCurve:
    generator = torch.Generator().manual_seed(3)
    return AffectCurve((torch.rand(rows, 2, generator=generator) * 2 - 1).numpy())


def random_codes(musicgen: FrozenMusicGen, frames: int, seed: int = 5) -> torch.Tensor:
    top = musicgen.decoder.config.vocab_size
    return torch.randint(0, top, (1, musicgen.codebooks, frames), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("prompt_frames", [0, 7])
def test_greedy_tokens_equal_the_librarys(tmp_path: Path, prompt_frames: int) -> None:
    from transformers import MusicgenForConditionalGeneration

    folder, frames = tiny_encodec_musicgen(tmp_path), 60
    ours = FrozenMusicGen.from_pretrained(folder, engine="exact")
    library = MusicgenForConditionalGeneration.from_pretrained(folder).eval()
    library.generation_config.eos_token_id = None
    encoded = ours.tokenizer(["calm strings slow"], return_tensors="pt")
    prompt = random_codes(ours, prompt_frames) if prompt_frames else None
    given = {} if prompt is None else {"decoder_input_ids": prompt[0]}
    caught = {}
    library.audio_encoder.decode = lambda codes, *a, **k: caught.update(codes=codes) or _Silence()  # type: ignore[func-returns-value]
    library.generate(
        input_ids=encoded.input_ids, attention_mask=encoded.attention_mask, do_sample=False, guidance_scale=3.0,
        max_length=frames + len(ours.delays), **given,
    )  # fmt: skip
    theirs = caught["codes"].reshape(1, ours.codebooks, -1)
    tokens = generate(
        ours.engine, ours.delays, ours.encode_text(["calm strings slow"]), theirs.shape[-1], [noise_of("x")], GREEDY,
        prompt=prompt, pad_tail=True,
    )  # fmt: skip
    assert theirs.shape[-1] >= frames - 1
    assert len(theirs.unique()) > 5, "a constant sequence would prove nothing"
    assert torch.equal(tokens, theirs)


class _Silence:
    audio_values = torch.zeros(1, 1, 10)


def test_closed_gates_leave_logits_untouched(musicgen: FrozenMusicGen) -> None:
    """In training, where a closed gate is added as zero, and in generation, where it is left out."""
    adapter = open_adapter(musicgen, gate=0.0)
    inputs, _, _ = teacher_forcing(random_codes(musicgen, 30), musicgen.delays, musicgen.bos)
    text = musicgen.encode_text(["fast drums"])
    control = adapter.control(curve_of(), 0, 30, musicgen.frame_rate_hz)[None]
    plain = musicgen(inputs, text)
    assert open_gates(adapter) == {}
    assert torch.equal(musicgen(inputs, text, inject(open_gates(adapter), control)), plain)
    assert torch.equal(musicgen(inputs, text, inject(all_gates(adapter), control)), plain)
    opened = open_adapter(musicgen, gate=0.5)
    assert not torch.equal(musicgen(inputs, text, inject(open_gates(opened), control)), plain)


@pytest.mark.parametrize("control_guidance", [1.0, 3.0])
def test_closed_gates_leave_generation_untouched(musicgen: FrozenMusicGen, control_guidance: float) -> None:
    """Step by step in the cache, with a prompt, whatever the guidance: the logits before each draw are the same."""
    window, prompt = Window(2, 90, 115, 6), random_codes(musicgen, 6)[0]
    sampling = Sampling(text_guidance=3.0, control_guidance=control_guidance)
    closed, heard = open_adapter(musicgen, gate=0.0), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            decoding, "sample", lambda logits, *rest: (heard.append(logits.clone()), sample(logits, *rest))[1]
        )
        for adapter in (None, closed):
            compose_window(musicgen, adapter, "calm", curve_of(), window, prompt, "seed", sampling)
    assert len(heard) == 2 * (25 - 6 + max(musicgen.delays))
    assert all(torch.equal(a, b) for a, b in zip(heard[: len(heard) // 2], heard[len(heard) // 2 :], strict=True))


def test_gates_are_read_once_a_generation(musicgen: FrozenMusicGen, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    monkeypatch.setattr(decoding, "open_gates", lambda adapter: (read.append(1), open_gates(adapter))[1])
    compose_window(musicgen, open_adapter(musicgen), "calm", curve_of(), Window(0, 0, 12, 0), None, "s", GREEDY)
    assert read == [1]


@pytest.mark.parametrize(
    ("start", "known", "blocks", "control_guidance"),
    [
        (0, 0, (0, 1, 2), 1.0),
        (333, 9, (0, 1, 2), 3.0),
        (41, 1, (0, 1), 1.0),
        (7, 23, (0, 1, 2, 3), 3.0),
        (120, 5, (1, 3), 1.0),
    ],
)
def test_control_follows_absolute_frame_under_guidance_cache_and_prompt(
    musicgen: FrozenMusicGen, start: int, known: int, blocks: tuple[int, ...], control_guidance: float
) -> None:
    """The library's own decoder, run over the whole prefix at every position, with a hook that adds the control of each
    absolute frame behind the blocks, draws the same tokens."""
    adapter, frames = open_adapter(musicgen, blocks=blocks), 24
    prompt = random_codes(musicgen, known)
    window, sampling = Window(3, start, start + frames, known), Sampling(5, 0.0, 2.5, control_guidance)
    got = compose_window(musicgen, adapter, "fast drums", curve_of(), window, prompt[0], "s", sampling).codes

    text, tail = musicgen.encode_text(["fast drums"]), max(musicgen.delays)
    absolute = torch.stack(
        [adapter.control(curve_of(), start + p, 1, musicgen.frame_rate_hz)[0] for p in range(frames + tail)]
    )
    delayed = torch.full((1, musicgen.codebooks, frames + tail), musicgen.bos)
    delayed[..., : known + tail] = delay_codes(prompt, musicgen.delays, musicgen.bos)
    for p in range(known, frames + tail):
        inputs = torch.cat([torch.full_like(delayed[..., :1], musicgen.bos), delayed[..., :p]], dim=-1)
        full = library_logits(musicgen, inputs, text, adapter, absolute[: p + 1])
        none = library_logits(musicgen, inputs, text.without_words(), adapter, absolute[: p + 1])
        logits = none + 2.5 * (full - none)
        if control_guidance != 1:
            logits = logits + (control_guidance - 1) * (full - library_logits(musicgen, inputs, text))
        for k, delay in enumerate(musicgen.delays):
            if p - delay >= known:
                delayed[0, k, p] = logits[k].argmax()
    expected = torch.stack([delayed[0, k, d + known : d + frames] for k, d in enumerate(musicgen.delays)])
    assert torch.equal(got, expected)


@torch.no_grad()
def library_logits(
    musicgen: FrozenMusicGen,
    inputs: torch.Tensor,
    text: TextCondition,
    adapter: AffectAdapter | None = None,
    control: torch.Tensor | None = None,
) -> torch.Tensor:
    """Logits of the last position, `[K, V]`, by transformers' own forward pass."""
    hooks = []
    if adapter is not None:
        for block, gate in zip(adapter.blocks, adapter.gates, strict=True):
            layer = musicgen.decoder.model.decoder.layers[block]
            hooks.append(layer.register_forward_hook(lambda _, __, hidden, gate=gate: hidden + gate * control))
    try:
        return musicgen.decoder(
            input_ids=inputs[0], encoder_hidden_states=text.states, encoder_attention_mask=text.mask.long(),
            use_cache=False,
        ).logits[:, -1]  # fmt: skip
    finally:
        for hook in hooks:
            hook.remove()


def test_control_of_a_frame_does_not_depend_on_the_window_that_asks(musicgen: FrozenMusicGen) -> None:
    adapter = open_adapter(musicgen)
    whole = adapter.control(curve_of(), 0, 400, 50.0)
    part = adapter.control(curve_of(), 130, 40, 50.0)
    torch.testing.assert_close(part, whole[130:170], rtol=0, atol=1e-6)


def test_moving_the_curve_moves_what_is_heard(musicgen: FrozenMusicGen) -> None:
    adapter, window, sampling = open_adapter(musicgen, gate=2.0), Window(0, 0, 30, 0), Sampling(temperature=0.0)
    low, high = (AffectCurve([[v, v]] * 5) for v in (-1.0, 1.0))
    first = compose_window(musicgen, adapter, "calm", low, window, None, "s", sampling).codes
    assert not torch.equal(first, compose_window(musicgen, adapter, "calm", high, window, None, "s", sampling).codes)


@pytest.mark.parametrize("known", [1, 2, 20])
def test_prompt_tokens_come_back_token_for_token_and_the_rest_is_new(
    musicgen: FrozenMusicGen, score_musicgen: FrozenMusicGen, known: int
) -> None:
    for model in (musicgen, score_musicgen):
        prompt, text = random_codes(model, known), model.encode_text(["calm strings"])
        noise, top = [noise_of("a")], model.decoder.config.vocab_size
        codes = generate(model.engine, model.delays, text, 30, noise, model.sampling, prompt=prompt)
        assert codes.shape == (1, model.codebooks, 30)
        assert torch.equal(codes[..., :known], prompt)
        assert int(codes.max()) < top, "BOS must never reach the codec"


def test_a_decoder_in_bf16_is_steered_by_control_in_fp32(musicgen: FrozenMusicGen, tmp_path: Path) -> None:
    folder = tiny_encodec_musicgen(tmp_path, stereo=len(musicgen.delays) == 8)
    half = FrozenMusicGen.from_pretrained(folder, dtype=torch.bfloat16)
    window, low, high = Window(0, 0, 20, 0), AffectCurve([[-1, -1]] * 3), AffectCurve([[1, 1]] * 3)
    adapter = open_adapter(half, gate=2.0)
    first, second = (
        compose_window(half, adapter, "calm", curve, window, None, "s", Sampling(temperature=0.0)).codes
        for curve in (low, high)
    )
    assert not torch.equal(first, second)


def test_a_unit_draws_the_same_alone_and_again(score_musicgen: FrozenMusicGen) -> None:
    window = Window(0, 0, 40, 0)
    first, again, other = (
        compose_window(score_musicgen, None, "sad piano", curve_of(), window, None, seed).codes
        for seed in ("a", "a", "b")
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_row_without_words_ignores_the_text_weights(musicgen: FrozenMusicGen) -> None:
    inputs = random_codes(musicgen, 6)
    condition = musicgen.encode_text(["calm piano", "", "fast"]).without_words()
    empty = run_decoder(musicgen.decoder, inputs.repeat(3, 1, 1), condition)
    wider = TextCondition(torch.zeros(3, 40, musicgen.width), torch.zeros(3, 40, dtype=torch.bool))
    assert torch.equal(empty, run_decoder(musicgen.decoder, inputs.repeat(3, 1, 1), wider))


def test_no_note_is_held_that_was_never_begun(score_musicgen: FrozenMusicGen) -> None:
    """The backbone loves to hold (its head is biased to here), yet a film's first frame begins something or rests."""
    head = score_musicgen.decoder.lm_heads
    text, before = score_musicgen.encode_text(["calm"]), [h.weight.clone() for h in head]
    with torch.no_grad():
        for h in head:
            h.weight[HOLD] = h.weight.abs().sum(0) * 5
    engine = Engine(score_musicgen.decoder, "exact")
    arguments = (engine, score_musicgen.delays, text, 8, [noise_of("a")], score_musicgen.sampling)
    picky = (*arguments[:-1], dataclasses.replace(score_musicgen.sampling, plausibility=0.5))
    free, kept, picked = generate(*arguments), generate(*arguments, held_code=HOLD), generate(*picky, held_code=HOLD)
    with torch.no_grad():
        for h, weight in zip(head, before, strict=True):
            h.weight.copy_(weight)
    assert (free[..., 0] == HOLD).any(), "nothing was held at all: the test would prove nothing"
    assert not (kept[..., 0] == HOLD).any()
    assert not (picked[..., 0] == HOLD).any()


def test_guidance_of_one_is_the_plain_row() -> None:
    guidance = Guidance(Sampling(text_guidance=1.0, control_guidance=1.0), steered=True)
    logits = torch.randn(2, 4, 8)
    assert guidance.rows == [(True, True)]
    assert torch.equal(guidance.combine(logits), logits)
    assert Guidance(Sampling(text_guidance=2.0, control_guidance=3.0), steered=False).rows == [
        (True, True),
        (False, True),
    ]


@pytest.mark.parametrize("steered", [True, False])
def test_guidance_draws_nothing_that_the_guided_row_finds_implausible(steered: bool) -> None:
    """Code 2 is a thousand times likelier with control than without, and still hardly likely: guidance wants it."""
    guidance = Guidance(Sampling(1, 0.0, 2.0, 5.0, plausibility=0.05), steered)
    plain = dataclasses.replace(guidance, sampling=dataclasses.replace(guidance.sampling, plausibility=0.0))
    rows = {(True, True): [0.9, 0.099, 0.001], (False, True): [0.9, 0.099, 0.001], (True, False): [0.9, 0.099, 1e-6]}
    logits = torch.tensor([rows[row] for row in guidance.rows]).log()[:, None]
    assert plain.combine(logits).argmax() == (2 if steered else 0)
    combined = guidance.combine(logits)
    assert combined.argmax() == 0
    assert combined.isinf().tolist() == [[[False, False, True]]]
    never = torch.tensor([[True, False, False]])
    assert guidance.combine(logits, never).isinf().tolist() == [[[True, False, True]]]


def test_top_k_draws_only_from_the_k_likeliest() -> None:
    logits = torch.randn(1, 3, 50)
    allowed = logits.topk(4).indices
    for seed in range(50):
        drawn = sample(logits, Sampling(top_k=4), next(log_waiting_times([noise_of(str(seed))], 3, 50)))
        assert (allowed == drawn[..., None]).any(-1).all()


def test_infinite_control_is_refused(musicgen: FrozenMusicGen) -> None:
    adapter: AffectAdapter = open_adapter(musicgen)
    with torch.no_grad():
        adapter.projector[0].weight.fill_(float("inf"))
    with pytest.raises(Exception, match="not finite"):
        adapter.control(curve_of(), 0, 4, 50.0)


def test_codebooks_may_be_guided_each_by_a_strength_of_its_own(musicgen: FrozenMusicGen) -> None:
    logits = torch.randn(3, musicgen.codebooks, 64, generator=torch.Generator().manual_seed(0))
    strengths = tuple(float(codebook + 2) for codebook in range(musicgen.codebooks))
    together = Guidance(Sampling(text_guidance=2.0, control_guidance=strengths), steered=True).combine(logits)
    for codebook, strength in enumerate(strengths):
        alone = Guidance(Sampling(text_guidance=2.0, control_guidance=strength), steered=True).combine(logits)
        torch.testing.assert_close(together[:, codebook], alone[:, codebook])
    assert Guidance(Sampling(control_guidance=(1.0, 1.0)), steered=True).rows == Guidance(Sampling(), steered=True).rows
    with pytest.raises(ValueError, match="not negative"):
        Sampling(control_guidance=(1.0, -1.0))
