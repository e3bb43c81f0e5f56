"""JAX: one jitted function a step, the state donated.

Settings: `jit`, and `jit_nchw` for convolutions on images with channels first.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import measure

jax.config.update("jax_default_prng_impl", "unsafe_rbg")  # the faster random numbers


def forward(network, layers, images, keep, key, nchw):
    activation = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[network.activation]
    convolutions, dense = layers
    h = images.reshape(-1, 1, 28, 28) if nchw else images
    for layer, (w, b) in zip(network.convolutions, convolutions):
        form = ("NCHW", "HWIO", "NCHW") if nchw else ("NHWC", "HWIO", "NHWC")
        h = jax.lax.conv_general_dilated(h, w, [layer["stride"]] * 2, "SAME", dimension_numbers=form)
        h = activation(h + (b[:, None, None] if nchw else b))
    h = (h.transpose(0, 2, 3, 1) if nchw and convolutions else h).reshape(-1, network.dense[0])
    for w, b in dense[:-1]:
        h = activation(h @ w + b)
        if keep < 1:
            key, now = jax.random.split(key)
            h = jnp.where(jax.random.bernoulli(now, keep, h.shape), h / keep, 0)
    w, b = dense[-1]
    return h @ w + b


def cross_entropy(network, labels, logits):
    return -(labels * jax.nn.log_softmax(logits)).sum(1).mean() * network.loss_scale


def rate(network, count):
    schedule = network.schedule
    passed = count / schedule["steps"]
    left = {
        "never": lambda: 1.0,
        "exponentially": lambda: jnp.exp(-passed),
        "linearly": lambda: jnp.maximum(1.0 - passed, 0.0),
    }[schedule["falls"]]()
    return schedule["floor"] + schedule["from"] * left


def updated(network, state, gradients):
    layers, m, v, count = state
    tree = jax.tree.map
    now = rate(network, count.astype(jnp.float32))
    if network.optimizer == "sgd":
        return tree(lambda p, g: p - now * g, layers, gradients), m, v, count + 1
    m = tree(lambda m, g: 0.9 * m + 0.1 * g, m, gradients)
    v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, v, gradients)
    t = count + 1.0
    now = now * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    kept = 1 - network.weight_decay
    layers = tree(lambda p, m, v: p * kept - now * m / (jnp.sqrt(v) + 1e-8), layers, m, v)
    return layers, m, v, count + 1


def trainer(data, setting, threads):
    network = data.network
    nchw = setting == "jit_nchw"
    batches = data.batches(data.images, data.labels)
    layers = jax.tree.map(jnp.asarray, (data.convolutions, data.dense))
    slots = lambda: jax.tree.map(jnp.zeros_like, layers) if network.optimizer != "sgd" else None
    state = (layers, slots(), slots(), jnp.int32(0))

    def loss(layers, images, labels, key):
        labels = labels * (1 - network.smoothing) + network.smoothing / 10
        return cross_entropy(network, labels, forward(network, layers, images, network.keep, key, nchw))

    @jax.jit
    def check(layers, images, labels):
        return cross_entropy(network, labels, forward(network, layers, images, 1.0, None, nchw))

    def train(state, images, labels):
        key = jax.random.fold_in(jax.random.key(0), state[3]) if network.keep < 1 else None
        return updated(network, state, jax.grad(loss)(state[0], images, labels, key))

    train = jax.jit(train, donate_argnums=0)

    def step(index):
        nonlocal state
        state = train(state, *batches[index % len(batches)])
        jax.block_until_ready(state[0])

    return step, lambda: check(state[0], *batches[0])


def reader(data, setting, threads):
    layers = jax.tree.map(jnp.asarray, (data.convolutions, data.dense))

    @jax.jit
    def digits(layers, images):
        return forward(data.network, layers, images, 1.0, None, setting == "jit_nchw").argmax(1)

    return lambda count: np.asarray(digits(layers, data.images[:count]))


measure.main(jax.__version__, trainer, reader)
