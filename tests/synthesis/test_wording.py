"""Several sentences in one window: bit for bit alone where one counts, and in between as the library's parts say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from narrascore.affect import AffectCurve
from narrascore.sentences import LocalSentence, Sentences
from narrascore.synthesis.composing import Draw, compose_window, draw_windows, word_window
from narrascore.synthesis.decoder import TextCondition
from narrascore.synthesis.delays import teacher_forcing
from narrascore.synthesis.engine import Engine
from narrascore.synthesis.musicgen import FrozenMusicGen
from narrascore.synthesis.passage import Passage
from narrascore.synthesis.wording import Wording
from narrascore.windows import Window
from tests.synthesis.tiny import open_adapter, tiny_encodec_musicgen, tiny_score_musicgen

CURVE = AffectCurve([[0.5, -0.5], [-0.5, 0.9], [0.1, 0.2]])
WINDOW = Window(0, 0, 100, 0, last=False)
"""4 s of notes, at 25 Hz."""
TURNS = Sentences("calm strings", (LocalSentence(1.2, 2.0, "fast drums"),), 30)


@pytest.fixture(scope="module")
def musicgen(tmp_path_factory: pytest.TempPathFactory) -> FrozenMusicGen:
    return FrozenMusicGen.from_pretrained(tiny_score_musicgen(tmp_path_factory.mktemp("score")), engine="exact")


def random_codes(musicgen: FrozenMusicGen, frames: int, batch: int = 1) -> torch.Tensor:
    shape = (batch, musicgen.codebooks, frames)
    return torch.randint(0, musicgen.decoder.config.vocab_size, shape, generator=torch.Generator().manual_seed(5))


def step_through(engine: Engine, text: TextCondition | Wording, codes: torch.Tensor) -> torch.Tensor:
    """Logits `[R, K, V]` of every position from the third on, stacked."""
    with torch.inference_mode():
        passage = Passage(engine, text, codes.shape[-1])
        told = [passage.read(codes[..., :3])]
        told += [passage.step(codes[..., at : at + 1], at) for at in range(3, codes.shape[-1])]
    return torch.stack(told, dim=1)


@pytest.mark.parametrize("name", ["exact", "bf16", "int8"])
def test_a_sentence_that_counts_alone_is_heard_bit_for_bit(musicgen: FrozenMusicGen, name: str) -> None:
    """Before its turn and in a window that it fills: all logits of the rows with and without words."""
    engine, codes = Engine(musicgen.decoder, name), random_codes(musicgen, 40)
    calm, fast = (musicgen.encode_text([text]) for text in ("calm strings and piano", "fast drums"))
    alone = [step_through(engine, TextCondition.stack([text, text.without_words()]), codes) for text in (calm, fast)]
    later = torch.arange(40) >= 25
    shares = torch.stack([~later, later]).float()[:, None]
    for told, expected, same in (
        (shares, alone[0], 25),
        (torch.tensor([1.0, 0.0])[:, None, None].repeat(1, 1, 40), alone[0], 40),
        (torch.tensor([0.0, 1.0])[:, None, None].repeat(1, 1, 40), alone[1], 40),
    ):
        wording = Wording((calm, fast), told)
        got = step_through(engine, Wording.stack([wording, wording.without_words()]), codes)
        assert torch.equal(got[:, : same - 2], expected[:, : same - 2])
        assert torch.equal(got[1], expected[1]), "a row without words hears no sentence"
    assert not torch.equal(got[0], alone[0][0])


def test_a_fade_is_the_library_s_cross_attention_to_each_sentence_by_its_share(tmp_path: Any) -> None:
    """transformers' own decoder, whose cross-attention is asked once for each sentence: a hook adds up the answers."""
    musicgen = FrozenMusicGen.from_pretrained(tiny_encodec_musicgen(tmp_path), engine="exact")
    inputs, _, _ = teacher_forcing(random_codes(musicgen, 60), musicgen.delays, musicgen.bos)
    texts = [musicgen.encode_text([text]) for text in ("calm strings slow", "fast")]
    rise = torch.linspace(0, 1, 60)
    shares = torch.stack([1 - rise, rise])[:, None]

    def blend(attention: Any, inputs: Any, named: dict[str, Any], output: Any) -> Any:
        other = attention.forward(inputs[0], key_value_states=texts[1].states)[0]
        return (shares[0, 0, :, None] * output[0] + shares[1, 0, :, None] * other, *output[1:])

    layers = musicgen.decoder.model.decoder.layers
    hooks = [layer.encoder_attn.register_forward_hook(blend, with_kwargs=True) for layer in layers]
    with torch.no_grad():
        library = musicgen.decoder(
            input_ids=inputs.flatten(0, 1), encoder_hidden_states=texts[0].states, use_cache=False
        ).logits
    for hook in hooks:
        hook.remove()
    got = step_through(musicgen.engine, Wording(tuple(texts), shares), inputs)[0].transpose(0, 1)
    expected = library.view(musicgen.codebooks, 60, -1)[:, 2:]
    assert float((got - expected).abs().max() / expected.std()) < 1e-4
    first = step_through(musicgen.engine, texts[0], inputs)[0].transpose(0, 1)
    assert float((first - expected)[:, -1].abs().max() / expected.std()) > 0.01, "the sentence must matter"


def test_a_position_hears_the_sentences_of_its_own_frame(musicgen: FrozenMusicGen) -> None:
    window, tail = Window(1, 20, 80, 10, last=False), max(musicgen.delays)
    told = word_window(musicgen, TURNS, window)
    assert told.shares is not None and told.shares.shape == (2, 1, 60 + tail)
    shares = TURNS.shares(20, 60 + tail, musicgen.frame_rate_hz)
    assert list(shares) == ["calm strings", "fast drums"]
    assert torch.equal(told.shares[1, 0], torch.from_numpy(shares["fast drums"]))
    alone, calm = word_window(musicgen, TURNS, Window(2, 500, 560, 10)), musicgen.encode_text(["calm strings"])
    assert alone.shares is None and torch.equal(alone.sentences[0].states, calm.states)


def test_music_is_as_it_was_until_a_sentence_comes_and_all_its_own_where_that_fills_the_window(
    musicgen: FrozenMusicGen,
) -> None:
    adapter = open_adapter(musicgen)  # three rows of guidance

    def compose(sentence: str | Sentences, start: int = 0, prompt: torch.Tensor | None = None) -> torch.Tensor:
        window = Window(0, start, start + 100, 0 if prompt is None else prompt.shape[1], last=False)
        return compose_window(musicgen, adapter, sentence, CURVE, window, prompt, "s").codes

    plain, turned = compose("calm strings"), compose(TURNS)
    first = next(frame for frame in range(100) if "fast drums" in TURNS.shares(frame, 1, 25.0))
    heard = first - max(musicgen.delays)
    assert torch.equal(plain, compose(replace(TURNS, local=())))
    assert torch.equal(plain[:, :heard], turned[:, :heard]) and not torch.equal(plain[:, first:], turned[:, first:])
    filled = replace(TURNS, local=(LocalSentence(0, 20, "fast drums"),))
    prompt = plain[:, 60:]
    assert torch.equal(compose(filled, 60, prompt), compose("fast drums", 60, prompt))
    assert not torch.equal(compose(filled, 60, prompt), compose("calm strings", 60, prompt))


def test_a_film_in_a_batch_hears_its_own_sentences_alone(musicgen: FrozenMusicGen) -> None:
    """One, two and three sentences side by side: each film draws what it draws beside itself."""
    three = replace(TURNS, local=(*TURNS.local, LocalSentence(2.5, 4, "slow piano")))
    draws = [
        Draw(word_window(musicgen, sentences, WINDOW), CURVE, WINDOW, None, seed)
        for sentences, seed in ((Sentences("calm strings"), "a"), (TURNS, "b"), (three, "c"))
    ]
    assert [len(draw.text.sentences) for draw in draws] == [1, 2, 3]
    adapter = open_adapter(musicgen)
    together = draw_windows(musicgen, adapter, draws, rows=3)
    for draw, codes in zip(draws, together, strict=True):
        (alone,) = draw_windows(musicgen, adapter, [draw], rows=3)
        assert torch.equal(codes, alone)
    assert len({tuple(codes.flatten().tolist()) for codes in together}) == 3
