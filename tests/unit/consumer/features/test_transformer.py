"""Load pretrained transformers; refuse unusable ones in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from consumer.features import transformer
from consumer.features.config import DEFAULT_MODEL
from consumer.features.transformer import (
    UnknownModelError,
    fingerprint,
    layers_of,
)

Tiny = Callable[[str], Path]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def load(name: object) -> torch.nn.Module:
    model: torch.nn.Module = transformer.load_transformer(str(name))[0]
    return model


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(UnknownModelError) as refused:
        call()
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


def test_fingerprint(tiny: Tiny, tmp_path: Path) -> None:
    """The fingerprint depends on the weights: a copy has the same, a changed number another."""
    folder = tiny("bert")
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(load(copy)) == fingerprint(load(folder))
    assert fingerprint(load(folder)) != fingerprint(load(DEFAULT_MODEL))
    model = transformers.AutoModel.from_pretrained(copy)
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-3
    model.save_pretrained(copy)
    assert fingerprint(load(copy)) != fingerprint(load(folder))


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "mpnet", "modernbert", "gpt2"])
def test_layers(tiny: Tiny, name: str) -> None:
    """The list of layers is found in every architecture."""
    stack = layers_of(load(tiny(name)))
    assert len(stack) == 3
    assert len({type(layer) for layer in stack}) == 1


def test_shared_layers(tiny: Tiny) -> None:
    """An architecture that shares one layer can't be split, and is refused with advice."""
    model = load(tiny("albert"))
    assert "--layers all" in refusal(lambda: layers_of(model))


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["no-such-model", "nobody/no-such-model", "/no/such/folder", "./here", "a b", "", "a/b/c"],
)
def test_unknown_model(name: str) -> None:
    """A model that can't be found is named, and so is the one that needs no network."""
    message = refusal(lambda: load(name))
    assert repr(name) in message
    assert "--model" in message
    assert DEFAULT_MODEL in message


def without(*names: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return damage


def cut_off(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return damage


def configured(**fields: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(without("config.json"), id="no config"),
        pytest.param(without("model.safetensors"), id="no weights"),
        pytest.param(cut_off("config.json"), id="config cut off"),
        pytest.param(cut_off("tokenizer.json"), id="tokenizer cut off"),
        pytest.param(configured(model_type="unheard-of"), id="unknown architecture"),
        pytest.param(
            cut_off("model.safetensors"),
            id="weights cut off",
        ),
        pytest.param(
            configured(hidden_size=64),
            id="config of another size",
        ),
        pytest.param(
            configured(num_hidden_layers=5),
            id="weights of fewer layers",
        ),
        pytest.param(
            without("tokenizer.json", "tokenizer_config.json"),
            id="no tokenizer",
        ),
    ],
)
def test_damaged_folder(tiny: Tiny, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """A folder without a complete encoder is refused in one line that names the folder."""
    copy = shutil.copytree(tiny("bert"), tmp_path / "encoder")
    damage(copy)
    assert repr(str(copy)) in refusal(lambda: load(copy))


def test_encoder_and_decoder(tiny: Tiny) -> None:
    """A model that needs a decoder's input is refused when it is loaded."""
    folder = tiny("t5")
    assert repr(str(folder)) in refusal(lambda: load(folder))
