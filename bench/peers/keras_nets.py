"""The five networks in Keras: the same layers, with its own initial weights and channels-last images."""

from typing import Any

import keras
from keras import layers, ops

from bench.peers.nets import Task


def network(task: Task, classes: int) -> keras.Model:
    """The task's network, which gives logits."""
    return BUILDERS[task.name](task.options, classes)


def mlp(options: dict[str, Any], classes: int) -> keras.Model:
    """One hidden layer."""
    return keras.Sequential(
        [
            keras.Input((options["in_features"],)),
            layers.Dense(options["hidden"], activation="relu"),
            layers.Dense(classes),
        ]
    )


def lenet(options: dict[str, Any], classes: int) -> keras.Model:
    """Two rounds of convolution and pooling, three affine maps."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(classes),
        ]
    )


def resnet20(options: dict[str, Any], classes: int) -> keras.Model:
    """Three stages of three blocks; shortcuts without parameters."""

    def normed(x: Any, channels: int, stride: int) -> Any:
        if stride == 2:  # Keras's "same" pads the end alone, PyTorch's padding=1 both ends
            x = layers.ZeroPadding2D(1)(x)
        padding = "valid" if stride == 2 else "same"
        start = keras.initializers.HeNormal()
        made = layers.Conv2D(channels, 3, stride, padding, use_bias=False, kernel_initializer=start)(x)
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(made)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(normed(inputs, 16, 1))
    for stage, channels in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            inner = layers.ReLU()(normed(x, channels, stride))
            around = x if stride == 1 else _padded(x, channels // 2)
            x = layers.ReLU()(layers.Add()([normed(inner, channels, 1), around]))
    return keras.Model(inputs, layers.Dense(classes)(layers.GlobalAveragePooling2D()(x)))


def _padded(x: Any, new: int) -> Any:
    """Every second pixel, and zeros for the new channels."""
    return ops.pad(x[:, ::2, ::2, :], ((0, 0), (0, 0), (0, 0), (0, new)))


class Embedded(layers.Layer):
    """Characters and their places, each as a learned vector, summed."""

    def __init__(self, classes: int, context: int, width: int):
        super().__init__()
        start = keras.initializers.RandomNormal(stddev=0.02)
        self.places = layers.Embedding(context, width, embeddings_initializer=start)
        self.characters = layers.Embedding(classes, width, embeddings_initializer=start)

    def build(self, shape: Any) -> None:
        """The two tables."""
        self.places.build(None)
        self.characters.build(None)

    def call(self, ids: Any) -> Any:
        """(b, t) -> (b, t, width)."""
        return self.characters(ids) + self.places(ops.arange(ids.shape[1]))

    def compute_output_shape(self, shape: Any) -> Any:
        """One vector a character."""
        return (*shape, self.characters.output_dim)


class Tied(layers.Layer):
    """The head that is the table of characters itself."""

    def __init__(self, embedded: Embedded):
        super().__init__()
        self.table = (embedded,)  # in a tuple, so that its weights are not counted twice

    def call(self, x: Any) -> Any:
        """(b, t, width) -> (b, t, classes)."""
        return ops.matmul(x, ops.transpose(self.table[0].characters.embeddings))

    def compute_output_shape(self, shape: Any) -> Any:
        """One score a class."""
        return (*shape[:-1], self.table[0].characters.input_dim)


def gpt(options: dict[str, Any], classes: int) -> keras.Model:
    """Blocks with norms after each sum, learned positions, and a tied head."""
    width, heads = options["width"], options.get("heads", 4)
    normal: dict[str, Any] = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02)}
    inputs = keras.Input((options["context"],), dtype="int32")
    embedded = Embedded(classes, options["context"], width)
    x = embedded(inputs)
    for _ in range(options["layers"]):
        attention = layers.MultiHeadAttention(heads, width // heads, **normal)
        x = layers.LayerNormalization(epsilon=1e-5)(x + attention(x, x, use_causal_mask=True))
        inner = layers.Dense(4 * width, activation=_tanh_gelu, **normal)(x)
        x = layers.LayerNormalization(epsilon=1e-5)(x + layers.Dense(width, **normal)(inner))
    return keras.Model(inputs, Tied(embedded)(x))


def _tanh_gelu(x: Any) -> Any:
    return keras.activations.gelu(x, approximate=True)


def lstm(options: dict[str, Any], classes: int) -> keras.Model:
    """Embedding, one layer of cells, and a head; Keras's cells have one bias where PyTorch's have two."""
    return keras.Sequential(
        [
            keras.Input((options["context"],), dtype="int32"),
            layers.Embedding(classes, options["width"]),
            layers.LSTM(options["width"], return_sequences=True),
            layers.Dense(classes),
        ]
    )


BUILDERS = {"mlp": mlp, "lenet": lenet, "resnet20": resnet20, "gpt": gpt, "lstm": lstm}
