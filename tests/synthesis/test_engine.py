"""The engine: the library's tokens over hundreds of steps, static shapes, and matrices in fewer bits."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from narrascore.affect import AffectCurve
from narrascore.errors import UsageError
from narrascore.synthesis.composing import noise_of
from narrascore.synthesis.decoder import TextCondition, run_decoder
from narrascore.synthesis.decoding import NOISE_STEPS, Guidance, Sampling, generate, log_waiting_times
from narrascore.synthesis.delays import delay_codes, teacher_forcing
from narrascore.synthesis.engine import Engine
from narrascore.synthesis.fidelity import divergence
from narrascore.synthesis.injection import inject, open_gates
from narrascore.synthesis.matrices import FEW_ROWS, LARGE, SMALL, _multiplies_int8, choose, hold
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.passage import STRETCH, Passage
from narrascore.units import threads
from tests.synthesis.tiny import open_adapter, tiny_encodec_musicgen, tiny_score_musicgen

TIE = 1e-4
"""Two logits closer than this after guidance are a tie in fp32."""


@pytest.fixture(scope="module")
def musicgen(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    folder = tiny_score_musicgen(tmp_path_factory.mktemp("score"))
    return FrozenMusicGen.from_pretrained(folder, engine="exact")


def made_curve() -> AffectCurve:
    return AffectCurve((torch.rand(40, 2, generator=torch.Generator().manual_seed(3)) * 2 - 1).numpy())


def random_codes(musicgen: FrozenMusicGen, batch: int, frames: int) -> torch.Tensor:
    shape = (batch, musicgen.codebooks, frames)
    return torch.randint(0, musicgen.decoder.config.vocab_size, shape, generator=torch.Generator().manual_seed(5))


def test_greedy_tokens_equal_the_librarys_for_five_hundred_steps_under_prompt_and_control(tmp_path: Path) -> None:
    """transformers' own decoder, with a hook for the control, reads what we drew and at every position would have drawn
    the same next, so that its own greedy tokens are these; but where two logits tie within float noise."""
    musicgen = FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(tmp_path), engine="exact")
    known, frames, tail, sampling = 40, 540, max(musicgen.delays), Sampling(1, 0.0, 2.5, 2.0)
    adapter, prompt = open_adapter(musicgen), random_codes(musicgen, 1, known)
    control = adapter.control(made_curve(), 0, frames + tail, musicgen.frame_rate_hz)[None]
    text = musicgen.encode_text(["fast drums"])
    got = generate(
        musicgen.engine, musicgen.delays, text, frames, [noise_of("s")], sampling, prompt=prompt, adapter=adapter,
        control=control, pad_tail=True,
    )  # fmt: skip
    reading = delay_codes(got, musicgen.delays, musicgen.bos)
    inputs = torch.cat([torch.full_like(reading[..., :1], musicgen.bos), reading[..., :-1]], dim=-1)
    logits = library_logits(musicgen, inputs, text, adapter, control, Guidance(sampling, steered=True))
    compared, ties = 0, []
    for k, delay in enumerate(musicgen.delays):
        for position in range(known + delay, frames + delay):
            first, second = logits[k, position].topk(2).values.tolist()
            if first - second < TIE:
                ties.append((k, position - delay, first - second))
                continue
            assert int(logits[k, position].argmax()) == int(got[0, k, position - delay]), (k, position)
            compared += 1
    assert compared + len(ties) == 500 * musicgen.codebooks
    assert len(ties) <= 4, f"too many ties to prove anything: {ties}"
    assert len(got[..., known:].unique()) > 5, "a constant sequence would prove nothing"


@torch.no_grad()
def library_logits(
    musicgen: FrozenMusicGen,
    inputs: torch.Tensor,
    text: TextCondition,
    adapter: torch.nn.Module,
    control: torch.Tensor,
    guidance: Guidance,
) -> torch.Tensor:
    """Guided logits of every position, `[K, positions, V]`."""
    rows = guidance.rows
    felt = torch.cat([control if row[1] else torch.zeros_like(control) for row in rows])
    condition = TextCondition.stack([text if worded else text.without_words() for worded, _ in rows])
    hooks = []
    for block, gate in zip(adapter.blocks, adapter.gates, strict=True):
        layer = musicgen.decoder.model.decoder.layers[block]
        hooks.append(layer.register_forward_hook(lambda _, __, hidden, gate=gate: hidden + gate * felt))
    try:
        logits = musicgen.decoder(
            input_ids=inputs.repeat(len(rows), 1, 1).flatten(0, 1), encoder_hidden_states=condition.states,
            encoder_attention_mask=condition.mask.long(), use_cache=False,
        ).logits  # fmt: skip
    finally:
        for hook in hooks:
            hook.remove()
    return guidance.combine(logits.view(len(rows), musicgen.codebooks, *logits.shape[1:]))[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_passage_reads_and_steps_as_the_forward_pass_does(tmp_path: Path, dtype: torch.dtype) -> None:
    musicgen = FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(tmp_path), engine="exact", dtype=dtype)
    adapter, frames = open_adapter(musicgen), STRETCH + 9
    inputs, _, _ = teacher_forcing(random_codes(musicgen, 2, frames), musicgen.delays, musicgen.bos)
    text = musicgen.encode_text(["calm piano", ""])
    control = adapter.control(made_curve(), 0, frames, musicgen.frame_rate_hz)[None].repeat(2, 1, 1)
    gates = open_gates(adapter)
    with torch.inference_mode():
        whole = run_decoder(musicgen.decoder, inputs, text, add_control=inject(gates, control)).transpose(1, 2)
        passage = Passage(musicgen.engine, text, frames, gates=gates, control=control)
        told = [passage.read(inputs[..., :5])]
        told += [passage.step(inputs[..., at : at + 1], at) for at in range(5, frames)]
    got = torch.stack(told, dim=1)
    assert got.dtype == dtype
    bound = 1e-4 if dtype == torch.float32 else 0.05
    assert float((got - whole[:, 4:]).float().abs().max() / whole.float().std()) < bound


@pytest.mark.parametrize("name", ["exact", "bf16", "int8"])
def test_a_step_of_static_shape_draws_the_same(musicgen: FrozenMusicGen, name: str) -> None:
    """It reads the whole cache and hides what is not filled, as a step recorded on a GPU does."""
    engine, text, frames = Engine(musicgen.decoder, name), musicgen.encode_text(["calm"]), STRETCH + 20
    codes = random_codes(musicgen, 1, frames)
    with torch.inference_mode():
        passages = [Passage(engine, text, frames, static=static) for static in (False, True)]
        for passage in passages:
            passage.read(codes[..., :3])
        for at in range(3, frames):
            short, static = (passage.step(codes[..., at : at + 1], at) for passage in passages)
            torch.testing.assert_close(short, static, rtol=0, atol=2e-2 if name != "exact" else 1e-5)
    assert short.shape == (1, musicgen.codebooks, musicgen.decoder.config.vocab_size)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="records a CUDA graph")
def test_a_recorded_step_draws_what_single_calls_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    musicgen = FrozenMusicGen.from_pretrained(tiny_score_musicgen(tmp_path), device="cuda", engine="exact")
    text, arguments = musicgen.encode_text(["calm"]), (80, [noise_of("a")], musicgen.sampling)
    recorded = generate(musicgen.engine, musicgen.delays, text, *arguments)
    monkeypatch.setattr("narrascore.synthesis.decoding.WARM_UP", 10_000)
    called = generate(musicgen.engine, musicgen.delays, text, 80, [noise_of("a")], musicgen.sampling)
    assert torch.equal(recorded, called)


@pytest.mark.parametrize("rows", [1, 3, FEW_ROWS + 1])
@pytest.mark.parametrize(("name", "bound"), [("exact", 1e-6), ("bf16", 6e-3), ("int8", 2e-2)])
def test_a_matrix_in_fewer_bits_is_nearly_the_matrix(name: str, bound: float, rows: int) -> None:
    """The error, as a share of the product's size: rounding of inputs and outputs to 8 bits of mantissa is 2e-3 each,
    and of a normal row's weights to 127 steps of its largest, near 3.5 deviations, is 8e-3."""
    generator = torch.Generator().manual_seed(0)
    weight, states = torch.randn(96, 256, generator=generator), torch.randn(rows, 256, generator=generator)
    product, true = hold(weight, name)(states), F.linear(states, weight)
    assert product.shape == true.shape
    assert float((product.float() - true).norm() / true.norm()) < bound


@pytest.mark.skipif(not _multiplies_int8(), reason="this processor's products of int8 could saturate")
def test_states_keep_more_than_bf16_beside_a_large_matrix_of_int8() -> None:
    """An outlier in a row takes int8's range for itself; the second part of the states holds what the first cannot."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.randint(-127, 128, (2048, 1024), generator=generator).float()
    steps[:, 0] = 127  # so that rounding the matrix to int8 changes nothing
    states = torch.randn(3, 1024, generator=generator)
    states[1, 5] = 60.0
    assert steps.numel() >= LARGE
    true = F.linear(states, steps)
    error = (hold(steps, "int8")(states) - true).norm(dim=1) / true.norm(dim=1)
    in_bf16 = (F.linear(states.bfloat16().float(), steps) - true).norm(dim=1) / true.norm(dim=1)
    assert error.max() < 2e-3
    assert (error[[0, 2]] < in_bf16[[0, 2]] / 5).all()


@pytest.mark.parametrize(("name", "bound"), [("bf16", 0.02), ("int8", 0.05)])
def test_fewer_bits_leave_the_next_token_nearly_as_it_was(musicgen: FrozenMusicGen, name: str, bound: float) -> None:
    adapter, codes = open_adapter(musicgen), random_codes(musicgen, 1, 30)
    control = adapter.control(made_curve(), 0, 30, musicgen.frame_rate_hz)[None]
    exact, other = musicgen.engine, Engine(musicgen.decoder, name)
    same = divergence(musicgen, exact, exact, codes, "calm", adapter, control)
    told = divergence(musicgen, other, exact, codes, "calm", adapter, control)
    assert (same.plain, same.guided, same.agreement) == (0, 0, 1)
    assert 0 < told.plain < told.guided < bound
    assert told.agreement > 0.9


def test_an_item_of_a_batch_draws_as_it_does_beside_others(musicgen: FrozenMusicGen) -> None:
    """Rows do not hear each other: at the same row count an item's codes depend on its own sentence and seed alone."""
    texts = [musicgen.encode_text(["calm piano", other]) for other in ("fast drums", "slow strings")]
    first, second = (
        generate(musicgen.engine, musicgen.delays, text, 40, [noise_of("a"), noise_of(seed)], musicgen.sampling)
        for text, seed in zip(texts, "bc", strict=True)
    )
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])


@pytest.mark.parametrize("count", [2, 3, 6, 9, 12])
@pytest.mark.parametrize("width", [256, 1024])
@pytest.mark.parametrize(("name", "outputs"), [("exact", 1024), ("bf16", 1024), ("int8", 1024), ("int8", 3072)])
def test_a_row_s_product_is_the_same_to_the_bit_in_any_place_beside_any_others(
    name: str, outputs: int, width: int, count: int
) -> None:
    """At the embedded model's width and at MusicGen-Small's, with two threads as with one."""
    noise = torch.Generator().manual_seed(0)
    matrix = hold(torch.randn(outputs, width, generator=noise) / 32, name)
    states, others = torch.randn(2, count, width, generator=noise)
    others[-1] = states[0]
    for number in (1, 2):
        with threads(number):
            product = matrix(states)
            assert torch.equal(matrix(states.flip(0)).flip(0), product)
            assert torch.equal(matrix(others)[-1], product[0])


def test_noise_depends_on_the_units_own_seed_alone() -> None:
    together = log_waiting_times([noise_of("a"), noise_of("b")], 2, 5)
    alone = log_waiting_times([noise_of("b")], 2, 5)
    for _ in range(NOISE_STEPS + 3):
        assert torch.equal(next(together)[1], next(alone)[0])


def test_the_engine_is_made_once_and_again_when_the_decoder_moves(tmp_path: Path) -> None:
    musicgen = FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(tmp_path), engine="exact")
    first = musicgen.engine
    assert musicgen.engine is first
    musicgen.place("cpu", torch.bfloat16)
    assert musicgen.engine is not first
    assert musicgen.engine.dtype == torch.bfloat16
    assert first.threads == 1, "a small decoder gains nothing from a second thread"


def test_auto_goes_by_size_and_device_and_an_engine_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="engine 'fast': choose one of auto, exact, bf16, int8"):
        choose("fast", torch.device("cpu"), torch.float32, 0)
    with pytest.raises(UsageError, match="int8 on cuda"):
        choose("int8", torch.device("cuda"), torch.float32, 0)
    assert choose("auto", torch.device("mps"), torch.float32, SMALL) == "exact"
    assert choose("auto", torch.device("cpu"), torch.float16, SMALL) == "exact"
    for computes, small, large in ((True, "int8", "bf16"), (False, "exact", "exact")):
        monkeypatch.setattr("narrascore.synthesis.matrices._computes_bf16", lambda computes=computes: computes)
        assert choose("auto", torch.device("cpu"), torch.float32, SMALL - 1) == small
        assert choose("auto", torch.device("cpu"), torch.float32, SMALL) == large
