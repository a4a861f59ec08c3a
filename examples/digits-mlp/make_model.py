"""Train the digits MLP and write model.onnx, eval.npz and calib.npz next to this file.

Four layers, 8.5 million parameters, on scikit-learn's bundled 8x8 digits: far more capacity than the task
needs, so that the time and memory of the model are those of its matrix products, as in a real edge model.
Deterministic; a few seconds on two cores.
"""

import warnings
from pathlib import Path

import numpy as np
from onnx.utils import Extractor
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).resolve().parent


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    pixels = (images / 16).astype(np.float32)
    # Half of the data judges: the accuracy gate needs examples the model has never seen, and many of them.
    x_train, x_eval, y_train, y_eval = train_test_split(pixels, labels, test_size=900, random_state=0, stratify=labels)

    model = MLPClassifier(hidden_layer_sizes=(2048, 2048, 2048), batch_size=64, max_iter=4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # four epochs are enough, and meant
        model.fit(x_train, y_train)

    onnx_model = to_onnx(model, x_train[:1], options={"zipmap": False, "output_class_labels": False})
    # Without the second output, the label: it is the largest probability's index, by an operator only ONNX Runtime has.
    onnx_model = Extractor(onnx_model).extract_model(["X"], ["probabilities"])
    (HERE / "model.onnx").write_bytes(onnx_model.SerializeToString())
    np.savez(HERE / "eval.npz", x=x_eval, y=y_eval)
    np.savez(HERE / "calib.npz", x=x_train[:200])
    print(f"model.onnx: accuracy {model.score(x_eval, y_eval):.3f} on {len(y_eval)} unseen digits")


if __name__ == "__main__":
    main()
