"""Train a small vision transformer on digits; write model.onnx, eval.npz and calib.npz next to this file.

Four layers of attention over eight patches, 3.2 million parameters (A. Dosovitskiy et al., "An Image is Worth 16x16 Words",
ICLR 2021), on scikit-learn's bundled 8x8 digits. The batch axis of the exported model is dynamic. It needs the extras
`huggingface` (torch), `onnx-runtime` and `demo` (scikit-learn); to be measured, `openvino` as well. Deterministic on one kind
of machine; half a minute.
"""

import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
WIDTH, HEADS, LAYERS, PATCH = 256, 4, 4, (2, 4)
EPOCHS, BATCH, RATE = 10, 32, 1e-3


class Layer(nn.Module):
    """Self-attention, then a perceptron for each patch, both on normalized input and added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_perceptron = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query_key_value, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.perceptron = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, patches: Tensor) -> Tensor:
        projected = self.query_key_value(self.before_attention(patches))
        heads = projected.unflatten(-1, (3, HEADS, WIDTH // HEADS)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        patches = patches + self.mix(attended.transpose(1, 2).flatten(2))
        return patches + self.perceptron(self.before_perceptron(patches))


class VisionTransformer(nn.Module):
    """Images [batch, 1, 8, 8] to logits [batch, 10]."""

    def __init__(self) -> None:
        super().__init__()
        height, width = PATCH
        self.embed = nn.Linear(height * width, WIDTH)
        self.position = nn.Parameter(0.2 * torch.randn(64 // (height * width), WIDTH))
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)))
        self.norm, self.classify = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, images: Tensor) -> Tensor:
        height, width = PATCH
        grid = images.unflatten(3, (8 // width, width)).unflatten(2, (8 // height, height))
        patches = grid.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        return self.classify(self.norm(self.layers(self.embed(patches) + self.position)).mean(1))


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)  # work this small gains little from more, and loses much where they wait for a core
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    x_train, x_eval, y_train, y_eval = train_test_split(images, labels, test_size=900, random_state=0, stratify=labels)

    model = VisionTransformer()
    fit(model, torch.tensor(x_train), torch.tensor(y_train))
    model.eval()
    export(model, HERE / "model.onnx")
    np.savez(HERE / "eval.npz", x=x_eval, y=y_eval)
    np.savez(HERE / "calib.npz", x=x_train[:200])
    with torch.inference_mode():
        accuracy = (model(torch.tensor(x_eval)).argmax(1).numpy() == y_eval).mean()
    print(f"model.onnx: accuracy {accuracy:.3f} on {len(y_eval)} unseen digits")


def fit(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.05)
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.2)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(images)).split(BATCH):
            loss = functional.cross_entropy(model(images[chosen]), labels[chosen], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def export(model: nn.Module, file: Path) -> None:
    example = torch.zeros(2, 1, 8, 8)
    names = {"input_names": ["image"], "output_names": ["logits"]}
    axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
    with warnings.catch_warnings():
        # Through TorchScript, which PyTorch calls deprecated: its newer exporter needs a package that none of the extras has.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(model, (example,), str(file), dynamo=False, opset_version=17, dynamic_axes=axes, **names)


if __name__ == "__main__":
    main()
