"""TensorFlow in graph mode (`compat.v1`). Settings: `graph`, and `xla`, which compiles clusters of the graph.

A callable made once avoids the cost of `session.run`. To read digits, weights are constants: a frozen graph.
"""

import os
import sys

SETTING, THREADS = sys.argv[1], int(sys.argv[4])
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if SETTING == "xla":
    os.environ["TF_XLA_FLAGS"] = "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"

import numpy as np
import tensorflow

import measure

tf = tensorflow.compat.v1
tf.disable_eager_execution()


def session(threads):
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    made = tf.Session(config=config)
    made.run(tf.global_variables_initializer())
    return made


def forward(network, x, convolutions, dense, keep):
    activation = {"relu": tf.nn.relu, "sigmoid": tf.nn.sigmoid}[network.activation]
    h = x
    for layer, (w, b) in zip(network.convolutions, convolutions):
        strides = [1, layer["stride"], layer["stride"], 1]
        h = activation(tf.nn.bias_add(tf.nn.conv2d(h, w, strides=strides, padding="SAME"), b))
    h = tf.reshape(h, [-1, network.dense[0]])
    for w, b in dense[:-1]:
        h = activation(tf.nn.bias_add(tf.matmul(h, w), b))
        if keep < 1:
            h = tf.nn.dropout(h, rate=1 - keep)
    w, b = dense[-1]
    return tf.nn.bias_add(tf.matmul(h, w), b)


def cross_entropy(network, labels, logits):
    rows = tf.nn.softmax_cross_entropy_with_logits_v2(labels=labels, logits=logits)
    return tf.reduce_mean(rows) * network.loss_scale


def rate(network, step):
    schedule = network.schedule
    passed = tf.cast(step, tf.float32) / schedule["steps"]
    left = {
        "never": lambda: tf.constant(1.0),
        "exponentially": lambda: tf.exp(-passed),
        "linearly": lambda: tf.nn.relu(1.0 - passed),
    }[schedule["falls"]]()
    return schedule["floor"] + schedule["from"] * left


def trainer(data, setting, threads):
    network = data.network
    batches = data.batches(data.images, data.labels)
    x = tf.placeholder(tf.float32, [network.batch, 28, 28, 1])
    y_ = tf.placeholder(tf.float32, [network.batch, 10])
    layers = [[[tf.Variable(v) for v in layer] for layer in kind] for kind in (data.convolutions, data.dense)]
    labels = y_ * (1 - network.smoothing) + network.smoothing / 10 if network.smoothing else y_
    loss = cross_entropy(network, labels, forward(network, x, *layers, network.keep))
    check = cross_entropy(network, y_, forward(network, x, *layers, 1.0))

    count = tf.train.get_or_create_global_step()
    optimizer = tf.train.GradientDescentOptimizer if network.optimizer == "sgd" else tf.train.AdamOptimizer
    optimizer = optimizer(rate(network, count))
    gradients = optimizer.compute_gradients(loss)
    before = [gradient for gradient, _ in gradients]
    if network.weight_decay:
        with tf.control_dependencies(before):
            before = [variable.assign(variable * (1 - network.weight_decay)) for _, variable in gradients]
    with tf.control_dependencies(before):
        step = optimizer.apply_gradients(gradients, global_step=count)

    run = session(threads)
    train = run.make_callable(step, feed_list=[x, y_])
    look = run.make_callable(check, feed_list=[x, y_])
    return lambda index: train(*batches[index % len(batches)]), lambda: look(*batches[0])


def reader(data, setting, threads):
    x = tf.placeholder(tf.float32, [None, 28, 28, 1])
    logits = forward(data.network, x, data.convolutions, data.dense, 1.0)
    run = session(threads)
    read = run.make_callable(tf.argmax(logits, axis=1), feed_list=[x])
    return lambda count: read(data.images[:count])


measure.main(tensorflow.__version__, trainer, reader)
