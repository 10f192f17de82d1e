"""The decoding loop: the library's tokens, the control's place in time, and closed gates."""

from pathlib import Path

import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.synthesis.adapter import AffectAdapter
from narrascore.synthesis.composing import compose_window, noise_of
from narrascore.synthesis.decoder import TextCondition, run_decoder
from narrascore.synthesis.decoding import Guidance, Sampling, generate, sample
from narrascore.synthesis.delays import delay_codes, teacher_forcing
from narrascore.synthesis.injection import all_gates, inject, open_gates
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.score_codes import HOLD
from narrascore.windows import Window
from tests.synthesis.tiny import open_adapter, tiny_encodec_musicgen, tiny_score_musicgen

GREEDY = Sampling(temperature=0.0, text_guidance=3.0)


@pytest.fixture(scope="module", params=["mono", "stereo"])
def musicgen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    folder = tmp_path_factory.mktemp(request.param)
    return FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(folder, stereo=request.param == "stereo"))


@pytest.fixture(scope="module")
def score_musicgen(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    return FrozenMusicGen.from_pretrained(tiny_score_musicgen(tmp_path_factory.mktemp("score")))


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
    ours = FrozenMusicGen.from_pretrained(folder)
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
        ours.decoder, ours.delays, ours.encode_text(["calm strings slow"]), theirs.shape[-1], [noise_of("x")], GREEDY,
        prompt=prompt, pad_tail=True,
    )  # fmt: skip
    assert theirs.shape[-1] >= frames - 1
    assert len(theirs.unique()) > 5, "a constant sequence would prove nothing"
    assert torch.equal(tokens, theirs)


class _Silence:
    audio_values = torch.zeros(1, 1, 10)


def test_closed_gates_leave_logits_untouched(musicgen: FrozenMusicGen) -> None:
    adapter = open_adapter(musicgen, gate=0.0)
    inputs, _, _ = teacher_forcing(random_codes(musicgen, 30), musicgen.delays, musicgen.bos)
    text = musicgen.encode_text(["fast drums"])
    control = adapter.control(curve_of(), 0, 30, musicgen.frame_rate_hz)[None]
    plain = musicgen(inputs, text)
    assert torch.equal(musicgen(inputs, text, inject(open_gates(adapter), control)), plain)
    assert torch.equal(musicgen(inputs, text, inject(all_gates(adapter), control)), plain)
    opened = open_adapter(musicgen, gate=0.5)
    assert not torch.equal(musicgen(inputs, text, inject(open_gates(opened), control)), plain)


def test_closed_gates_leave_generation_untouched(musicgen: FrozenMusicGen) -> None:
    sampling, window = Sampling(text_guidance=3.0), Window(0, 0, 25, 0)
    closed = open_adapter(musicgen, gate=0.0)
    plain = compose_window(musicgen, None, "calm", curve_of(), window, None, "seed", sampling)
    assert torch.equal(compose_window(musicgen, closed, "calm", curve_of(), window, None, "seed", sampling), plain)


@pytest.mark.parametrize("control_guidance", [1.0, 3.0])
def test_control_follows_absolute_frame_under_guidance_cache_and_prompt(
    musicgen: FrozenMusicGen, control_guidance: float
) -> None:
    """An independent full recomputation, position by position from the absolute curve, draws the same tokens."""
    adapter, start, known, frames = open_adapter(musicgen), 333, 9, 24
    prompt, sampling = random_codes(musicgen, known), Sampling(0 + 5, 0.0, 2.5, control_guidance)
    window = Window(3, start, start + frames, known)
    got = compose_window(musicgen, adapter, "fast drums", curve_of(), window, prompt[0], "s", sampling)

    absolute = torch.stack(
        [
            adapter.control(curve_of(), start + p, 1, musicgen.frame_rate_hz)[0]
            for p in range(frames + max(musicgen.delays))
        ]
    )
    text, codes = musicgen.encode_text(["fast drums"]), prompt
    tail = max(musicgen.delays)
    delayed = torch.full((1, musicgen.codebooks, frames + tail), musicgen.bos)
    delayed[..., : known + tail] = delay_codes(codes, musicgen.delays, musicgen.bos)
    for p in range(known, frames + tail):
        inputs = torch.cat([torch.full_like(delayed[..., :1], musicgen.bos), delayed[..., :p]], dim=-1)
        steer = inject(open_gates(adapter), absolute[None, : p + 1])
        full = musicgen(inputs, text, steer)[..., -1, :]
        none = musicgen(inputs, text.without_words(), steer)[..., -1, :]
        plain = musicgen(inputs, text)[..., -1, :]
        logits = none + 2.5 * (full - none) + (control_guidance - 1) * (full - plain)
        for k, delay in enumerate(musicgen.delays):
            if p - delay >= known:
                delayed[0, k, p] = logits[0, k].argmax()
    expected = torch.stack([delayed[0, k, d + known : d + frames] for k, d in enumerate(musicgen.delays)])
    assert torch.equal(got, expected)


def test_control_of_a_frame_does_not_depend_on_the_window_that_asks(musicgen: FrozenMusicGen) -> None:
    adapter = open_adapter(musicgen)
    whole = adapter.control(curve_of(), 0, 400, 50.0)
    part = adapter.control(curve_of(), 130, 40, 50.0)
    torch.testing.assert_close(part, whole[130:170], rtol=0, atol=1e-6)


def test_moving_the_curve_moves_what_is_heard(musicgen: FrozenMusicGen) -> None:
    adapter, window, sampling = open_adapter(musicgen, gate=2.0), Window(0, 0, 30, 0), Sampling(temperature=0.0)
    low, high = (AffectCurve([[v, v]] * 5) for v in (-1.0, 1.0))
    first = compose_window(musicgen, adapter, "calm", low, window, None, "s", sampling)
    assert not torch.equal(first, compose_window(musicgen, adapter, "calm", high, window, None, "s", sampling))


def test_prompt_tokens_come_back_and_the_rest_is_new(score_musicgen: FrozenMusicGen) -> None:
    prompt = random_codes(score_musicgen, 20)
    text = score_musicgen.encode_text(["tense strings"])
    codes = generate(
        score_musicgen.decoder, score_musicgen.delays, text, 50, [noise_of("a")], score_musicgen.sampling, prompt=prompt
    )
    assert codes.shape == (1, 11, 50)
    assert torch.equal(codes[..., :20], prompt)
    assert int(codes.max()) < 128, "BOS must never reach the codec"


def test_a_unit_draws_the_same_alone_and_again(score_musicgen: FrozenMusicGen) -> None:
    window = Window(0, 0, 40, 0)
    first, again, other = (
        compose_window(score_musicgen, None, "sad piano", curve_of(), window, None, seed) for seed in ("a", "a", "b")
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
    arguments = (score_musicgen.decoder, score_musicgen.delays, text, 8, [noise_of("a")], score_musicgen.sampling)
    free, kept = generate(*arguments), generate(*arguments, held_code=HOLD)
    with torch.no_grad():
        for h, weight in zip(head, before, strict=True):
            h.weight.copy_(weight)
    assert (free[..., 0] == HOLD).any(), "nothing was held at all: the test would prove nothing"
    assert not (kept[..., 0] == HOLD).any()


def test_guidance_of_one_is_the_plain_row() -> None:
    guidance = Guidance(Sampling(text_guidance=1.0, control_guidance=1.0), steered=True)
    logits = torch.randn(2, 4, 8)
    assert guidance.rows == [(True, True)]
    assert torch.equal(guidance.combine(logits), logits)
    assert Guidance(Sampling(text_guidance=2.0, control_guidance=3.0), steered=False).rows == [
        (True, True),
        (False, True),
    ]


def test_top_k_draws_only_from_the_k_likeliest() -> None:
    logits = torch.randn(1, 3, 50)
    allowed = logits.topk(4).indices
    for seed in range(50):
        drawn = sample(logits, Sampling(top_k=4), [noise_of(str(seed))])
        assert (allowed == drawn[..., None]).any(-1).all()


def test_infinite_control_is_refused(musicgen: FrozenMusicGen) -> None:
    adapter: AffectAdapter = open_adapter(musicgen)
    with torch.no_grad():
        adapter.projector[0].weight.fill_(float("inf"))
    with pytest.raises(Exception, match="not finite"):
        adapter.control(curve_of(), 0, 4, 50.0)
