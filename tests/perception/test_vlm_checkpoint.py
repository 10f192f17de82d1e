"""Native folders and DAMO's give one and the same model; what is missing, left over or unsafe is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from narrascore.errors import InputError
from narrascore.perception.vlm import FrozenVLM
from narrascore.perception.vlm_checkpoint import load_model, witness
from narrascore.perception.vlm_remap import native_config, native_names
from tests.perception.tiny_vlm import tiny_damo_folder, tiny_vlm_folder

MakeFolder = Callable[[Path], Path]
WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"


@pytest.mark.parametrize(("tied", "shards"), [(True, 1), (False, 1), (True, 3)])
def test_damos_names_give_the_native_model(tmp_path: Path, tied: bool, shards: int) -> None:
    damo = load_model(tiny_damo_folder(tmp_path / "damo", tied=tied, shards=shards), torch.float32)
    native = load_model(tmp_path / "damo" / "native", torch.float32)
    assert damo.config.text_config.rope_parameters == native.config.text_config.rope_parameters
    assert (damo.lm_head.weight is damo.get_input_embeddings().weight) is tied
    expected = native.state_dict()
    assert set(damo.state_dict()) == set(expected)
    for name, tensor in damo.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)


def test_a_tied_head_may_also_be_stored(tmp_path: Path) -> None:
    folder = tiny_damo_folder(tmp_path)
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file({**tensors, "lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, folder / WEIGHTS)
    model = load_model(folder, torch.float32)
    torch.testing.assert_close(model.lm_head.weight, tensors["model.embed_tokens.weight"], rtol=0, atol=0)


def test_both_kinds_read_alike_although_other_tokens_stand_for_pictures(tmp_path: Path) -> None:
    damo = FrozenVLM.from_pretrained(tiny_damo_folder(tmp_path), dtype=torch.float32)
    native = FrozenVLM.from_pretrained(tmp_path / "native", dtype=torch.float32)
    assert (damo.image_mark, native.image_mark) == ("<image>", "<|image_pad|>")
    image = torch.arange(56 * 84 * 3).reshape(56, 84, 3).to(torch.uint8).numpy()
    states = [vlm.read([4.0], [vlm.see(image, (56, 84))], vlm.begin("Feel.")) for vlm in (damo, native)]
    torch.testing.assert_close(states[0], states[1], rtol=0, atol=0)


@pytest.mark.parametrize("make", [tiny_vlm_folder, tiny_damo_folder])
def test_dropouts_are_zero_and_training_never_begins(tmp_path: Path, make: MakeFolder) -> None:
    vlm = FrozenVLM.from_pretrained(make(tmp_path), dtype=torch.bfloat16)
    vlm.train()
    assert not any(module.training for module in vlm.modules())
    assert not any(weight.requires_grad for weight in vlm.parameters())
    assert {weight.dtype for weight in vlm.parameters()} == {torch.bfloat16}
    assert {getattr(module, "attention_dropout", 0.0) for module in vlm.modules()} == {0.0}


@pytest.mark.parametrize("make", [tiny_vlm_folder, tiny_damo_folder])
def test_what_is_missing_or_left_over_is_named(tmp_path: Path, make: MakeFolder) -> None:
    folder = make(tmp_path)
    whole = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    norm = next(name for name in whole if name.endswith("norm.weight") and "layers" not in name)
    save_file({name: tensor for name, tensor in whole.items() if name != norm}, folder / WEIGHTS)
    with pytest.raises(InputError, match=r"1 missing, such as model\.language_model\.norm\.weight"):
        load_model(folder, torch.float32)
    layer = next(name for name in whole if name.endswith("layers.0.input_layernorm.weight"))
    save_file({**whole, layer.replace(".0.", ".9."): whole[layer].clone()}, folder / WEIGHTS)
    with pytest.raises(InputError, match=r"1 left over, such as model\.language_model\.layers\.9"):
        load_model(folder, torch.float32)


def test_an_untied_head_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = tiny_damo_folder(tmp_path, tied=False)
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    del tensors["lm_head.weight"]
    save_file(tensors, folder / WEIGHTS)
    with pytest.raises(InputError, match=r"1 missing, such as lm_head\.weight"):
        load_model(folder, torch.float32)


def test_names_without_a_rule_are_named() -> None:
    with pytest.raises(InputError, match=r"1 tensors have no place in the model, such as model\.audio\.weight"):
        native_names({"model.norm.weight": torch.zeros(1), "model.audio.weight": torch.zeros(1)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_token_index": None}, "no image_token_index"),
        ({"vision_encoder_config": {}}, r"no vision_encoder_config\.hidden_size"),
        ({"mm_projector_type": "linear"}, "mm_projector_type is 'linear'"),
        ({"rope_scaling": {"type": "yarn"}}, "rope_scaling is"),
    ],
)
def test_settings_without_a_counterpart_are_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    config = json.loads((tiny_damo_folder(tmp_path) / CONFIG).read_text(encoding="utf-8"))
    changed = {key: value for key, value in {**config, **changes}.items() if value is not None}
    with pytest.raises(InputError, match=message):
        native_config(changed)


def test_other_models_and_shapes_are_refused(tmp_path: Path) -> None:
    folder = tiny_vlm_folder(tmp_path)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    (folder / CONFIG).write_text(json.dumps({**config, "model_type": "qwen2"}), encoding="utf-8")
    with pytest.raises(InputError, match="a model of type 'qwen2'"):
        load_model(folder, torch.float32)
    config["text_config"]["intermediate_size"] = 48
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(InputError, match="not a VideoLLaMA3 checkpoint"):
        load_model(folder, torch.float32)
    with pytest.raises(InputError, match=CONFIG):
        load_model(tmp_path / "nothing", torch.float32)


def test_the_first_layout_of_native_settings_means_the_same(tmp_path: Path) -> None:
    folder = tiny_vlm_folder(tmp_path)
    expected = load_model(folder, torch.float32).config
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    for part in ("text_config", "vision_config"):
        config[part].pop("rope_parameters")
    config["text_config"] |= {"rope_theta": 1_000_000.0, "rope_scaling": None, "torch_dtype": "bfloat16"}
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    found = load_model(folder, torch.float32).config
    assert found.text_config.rope_parameters == expected.text_config.rope_parameters
    assert found.vision_config.rope_parameters == expected.vision_config.rope_parameters


@pytest.mark.parametrize("make", [tiny_vlm_folder, tiny_damo_folder])
def test_settings_cannot_ask_for_code_or_quantisers(tmp_path: Path, make: MakeFolder) -> None:
    folder = make(tmp_path)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    wishes: dict[str, object] = {"attn_implementation": "someone/kernel", "_attn_implementation": "someone/kernel"}
    wishes["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    for part in (config, *(config[key] for key in config if key.endswith("_config"))):
        part.update(wishes)
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    config = load_model(folder, torch.float32).config
    assert {part._attn_implementation for part in (config, config.text_config, config.vision_config)} == {"sdpa"}


def test_only_safetensors_beside_the_index_are_read(tmp_path: Path) -> None:
    folder = tiny_damo_folder(tmp_path / "damo", shards=2)
    for name in ("../native/model.safetensors", "pytorch_model.bin"):
        (folder / INDEX).write_text(json.dumps({"weight_map": {"model.norm.weight": name}}), encoding="utf-8")
        with pytest.raises(InputError, match="not a file beside it"):
            load_model(folder, torch.float32)
    (folder / INDEX).unlink()
    with pytest.raises(InputError, match="only safetensors are read"):
        load_model(folder, torch.float32)


def test_a_folder_tells_itself_apart_and_names_its_licence(tmp_path: Path) -> None:
    one, other = tiny_vlm_folder(tmp_path / "one"), tiny_vlm_folder(tmp_path / "other", seed=1)
    assert witness(one) == witness(one) != witness(other)
    (one / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny\n", encoding="utf-8")
    about = FrozenVLM.from_pretrained(one, dtype=torch.float32).describe()
    assert about == {
        "vlm": "one", "revision": witness(one), "licence": "apache-2.0 (weights)", "dtype": "float32",
    }  # fmt: skip
    assert FrozenVLM.from_pretrained(other, name="some/id", revision="abc").describe() == {
        "vlm": "some/id", "revision": "abc", "licence": "unknown: see the checkpoint's own card", "dtype": "bfloat16",
    }  # fmt: skip
