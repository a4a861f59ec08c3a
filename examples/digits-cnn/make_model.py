"""Train the digits CNN and write model.onnx, eval.npz and calib.npz next to this file.

Two convolution layers whose filters are learned without labels, as k-means centres of image patches
(Coates and Ng, "Learning Feature Representations with K-Means", 2012), and a logistic readout. It needs
scikit-learn and no deep-learning framework. Deterministic; a few seconds on two cores.
"""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from sklearn.cluster import MiniBatchKMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

HERE = Path(__file__).resolve().parent
CHANNELS = (64, 128)


class Network:
    """The graph under construction; it can be run at any depth, so each layer learns from the one below."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.tip = "image"

    def add(self, operator: str, *weights: np.ndarray, **attributes: object) -> None:
        names = []
        for weight in weights:
            names.append(f"w{len(self.weights)}")
            self.weights.append(numpy_helper.from_array(weight, names[-1]))
        output = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, [self.tip, *names], [output], **attributes))
        self.tip = output

    def build(self, rank: int) -> onnx.ModelProto:
        image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["batch", 1, 8, 8])
        output = helper.make_tensor_value_info(self.tip, onnx.TensorProto.FLOAT, ["batch"] + [None] * (rank - 1))
        graph = helper.make_graph(self.nodes, "digits-cnn", [image], [output], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model)

    def run(self, images: np.ndarray, rank: int) -> np.ndarray:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(self.build(rank).SerializeToString(), options)
        return session.run(None, {"image": images})[0]


def learn_filters(maps: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights [count, channels, 3, 3] and bias [count] whose rectified output says how much nearer than average
    each centre is (the paper's "triangle" code, as one convolution)."""
    windows = np.lib.stride_tricks.sliding_window_view(maps, (3, 3), axis=(2, 3))
    patches = windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, maps.shape[1] * 9)
    patches = patches[np.random.default_rng(0).permutation(len(patches))[:20_000]]
    centres = MiniBatchKMeans(count, random_state=0, n_init=1, batch_size=2048).fit(patches).cluster_centers_
    bias = -0.5 * (centres**2).sum(axis=1)  # |x-c|^2 = |x|^2 - 2(x.c - |c|^2/2)
    weights = (centres - centres.mean(axis=0)).reshape(count, maps.shape[1], 3, 3)
    return weights.astype(np.float32), (bias - bias.mean()).astype(np.float32)


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    x_train, x_eval, y_train, y_eval = train_test_split(images, labels, test_size=900, random_state=0, stratify=labels)

    network = Network()
    for channels in CHANNELS:
        maps = x_train if not network.nodes else network.run(x_train, rank=4)
        weights, bias = learn_filters(maps, channels)
        network.add("Conv", weights, bias, pads=[1, 1, 1, 1])
        spread = network.run(x_train, rank=4).std()
        network.weights[-2].CopyFrom(numpy_helper.from_array(weights / spread, network.weights[-2].name))
        network.weights[-1].CopyFrom(numpy_helper.from_array(bias / spread, network.weights[-1].name))
        network.add("Relu")
    network.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    network.add("Flatten")

    readout = LogisticRegression(C=0.1, max_iter=1000).fit(network.run(x_train, rank=2), y_train)
    network.add("Gemm", readout.coef_.T.astype(np.float32), readout.intercept_.astype(np.float32))
    network.add("Softmax")

    onnx.save(network.build(rank=2), HERE / "model.onnx")
    np.savez(HERE / "eval.npz", x=x_eval, y=y_eval)
    np.savez(HERE / "calib.npz", x=x_train[:200])
    accuracy = (network.run(x_eval, rank=2).argmax(axis=1) == y_eval).mean()
    print(f"model.onnx: accuracy {accuracy:.3f} on {len(y_eval)} unseen digits")


if __name__ == "__main__":
    main()
