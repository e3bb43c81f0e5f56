"""Writes the event files of this folder with the writers of PyTorch and TensorFlow: `make.py pytorch`, `make.py tensorflow2` or `make.py tensorflow1`.

README.md says with which versions. All three log the same: the scalar `loss` 1 / (1 + step) of steps 0 to 9, the histogram `weights` of 0, 0.01 .. 0.99 plus step at
steps 0, 5, two grey images `digits` of 3 rows and 4 columns at step 5, the text `note`, and a graph of a product and a sum.
"""

import os
import pathlib
import shutil
import sys
import tempfile

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

STEPS = range(10)
HERE = pathlib.Path(__file__).parent


def loss(step):
    return 1 / (1 + step)


def weights(step):
    return (np.arange(100) / 100 + step).astype(np.float32)


def digits():
    return (np.arange(24).reshape(2, 3, 4) / 23).astype(np.float32)


def pytorch(folder):
    import torch
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder)
    for step in STEPS:
        writer.add_scalar("loss", loss(step), step)
        writer.add_scalar("loss_of_new_style", loss(step), step, new_style=True)
        if step % 5 == 0:
            writer.add_histogram("weights", weights(step), step)
    writer.add_image("digits", digits()[:1], 5)
    writer.add_text("note", "written by *PyTorch*", 5)

    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.layer(x)

    writer.add_graph(Line(), torch.zeros(1, 3))
    writer.close()


def tensorflow2(folder):
    import tensorflow as tf

    @tf.function
    def line(x, w, b):
        return tf.add(tf.matmul(x, w, name="product"), b, name="sum")

    writer = tf.summary.create_file_writer(folder)
    with writer.as_default():
        for step in STEPS:
            tf.summary.scalar("loss", loss(step), step=step)
            if step % 5 == 0:
                tf.summary.histogram("weights", weights(step), step=step)
        tf.summary.image("digits", digits()[..., None], step=5)
        tf.summary.text("note", "written by *TensorFlow 2*", step=5)
        tf.summary.trace_on(graph=True)
        line(tf.zeros([1, 3]), tf.zeros([3, 2]), tf.zeros([2]))
        tf.summary.trace_export("line", step=0)
        tf.summary.trace_off()
    writer.close()


def tensorflow1(folder):
    import tensorflow as tf

    tf = tf.compat.v1
    tf.disable_eager_execution()
    w = tf.placeholder(tf.float32, [100], "w")
    at = tf.placeholder(tf.float32, [], "at")
    total = tf.add(tf.reduce_sum(w, name="product"), at, name="sum")
    scalar = tf.summary.scalar("loss", at)
    histogram = tf.summary.histogram("weights", w)
    image = tf.summary.image("digits", tf.constant(digits()[..., None]))
    text = tf.summary.text("note", tf.constant("written by *TensorFlow 1*"))
    with tf.Session() as session:
        writer = tf.summary.FileWriter(folder, session.graph)
        for step in STEPS:
            feeds = {w: weights(step), at: loss(step)}
            writer.add_summary(session.run(scalar, feeds), step)
            if step % 5 == 0:
                writer.add_summary(session.run(histogram, feeds), step)
        writer.add_summary(session.run(image), 5)
        writer.add_summary(session.run(text), 5)
        metadata = tf.RunMetadata()
        options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
        session.run(total, {w: weights(0), at: 0.0}, options=options, run_metadata=metadata)
        writer.add_run_metadata(metadata, "step 5", 5)
        writer.close()


name = sys.argv[1]
with tempfile.TemporaryDirectory() as folder:
    {"pytorch": pytorch, "tensorflow2": tensorflow2, "tensorflow1": tensorflow1}[name](folder)
    found = [file for file in pathlib.Path(folder).rglob("*tfevents*") if "profile-empty" not in file.name]
    assert len(found) == 1, found
    shutil.copy(found[0], HERE / f"{name}.tfevents")
    print(name, (HERE / f"{name}.tfevents").stat().st_size, "bytes")
