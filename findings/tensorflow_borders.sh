#!/usr/bin/env bash
# TensorFlow in graph mode at the borders of its operators and rules.
#
# Most would guess: a library so widely used gives the mathematical value, or a clear refusal, where its formulas reach 0 or overflow;
# floordiv and floormod agree; `reshape` refuses a size that cannot be worked out.
# True (tensorflow-cpu 2.21.0, Python 3.11, x86-64, 2026-11-29):
#   - the slope of x^0 and the second one of x^1 at 0 are NaN (0 and 0); f32 sigmoid'(20) and tanh'(10) are 0 (2.06e-9, 8.24e-9);
#   - clip_by_norm to infinity turns everything to NaN, [3e20, 4e20] to 5 gives [0, 0], zeros to 0 give NaN; clip_by_global_norm
#     gives NaN for [3e20, 4e20];
#   - floordiv(55., .1) is 550 and floormod(55., .1) 0.09999...: together 55.1;
#   - a NaN stops at relu when the loss is linear (slope 0) and passes reduce_max;
#   - the sum of a million f32 0.1 is 100,958 in cumsum, segment_sum and avg_pool;
#   - the slope of atan2 at (1e20, 1e20) in f32 is 0 (5e-21), that of the sigmoid cross-entropy at logit 20, label 1 is 0 (-2.06e-9);
#   - reshape of [0, 5] to [0, -1] gives [0, 5]: of what is not 0 the sizes are compared.
# It prints what it saw, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet tensorflow-cpu==2.21.0 numpy==2.4.6
cat > "$folder/borders.py" <<'PYTHON'
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
import numpy as np
import tensorflow as tf

t = tf.compat.v1
t.disable_eager_execution()
inf, nan = float("inf"), float("nan")
failed = False


def run(build):
    with tf.Graph().as_default(), t.Session() as session:
        return session.run(build())


def slope(f, x, order=1, dtype=np.float32):
    def build():
        xs = t.constant(x, dtype)
        y = f(xs)
        for _ in range(order):
            y = t.gradients(y, xs)[0]
        return y
    return run(build)


def saw(what, found, expected):
    global failed
    same = np.allclose(np.asarray(found, np.float64), expected, rtol=1e-5, atol=1e-30, equal_nan=True)
    print(("as told " if same else "CHANGED ") + what, np.asarray(found).tolist())
    failed |= not same


constant = lambda x: t.constant(x, tf.float32)
saw("d x^0 at 0", slope(lambda x: tf.pow(x, 0.0), 0.0, 1, np.float64), nan)
saw("d2 x^1 at 0", slope(lambda x: tf.pow(x, 1.0), 0.0, 2, np.float64), nan)
saw("sigmoid'(20)", slope(tf.sigmoid, 20.0), 0)
saw("tanh'(10)", slope(tf.tanh, 10.0), 0)
saw("clip_by_norm to inf", run(lambda: tf.clip_by_norm(constant([3, 4]), inf)), [nan, nan])
saw("clip_by_norm of 3e20", run(lambda: tf.clip_by_norm(constant([3e20, 4e20]), 5.0)), [0, 0])
saw("clip_by_norm of 0 to 0", run(lambda: tf.clip_by_norm(constant([0, 0]), 0.0)), [nan, nan])
saw("clip_by_global_norm of 3e20", run(lambda: tf.clip_by_global_norm([constant([3e20, 4e20])], 5.0)[0][0]), [nan, nan])
saw("l2_normalize of 3e20", run(lambda: tf.nn.l2_normalize(constant([3e20, 4e20]))), [0, 0])
saw("floordiv and floormod", run(lambda: [f(t.constant(55.0, tf.float64), 0.1) for f in (tf.math.floordiv, tf.math.floormod)]), [550, 0.1])
saw("relu' of NaN", slope(tf.nn.relu, nan), 0)
saw("reduce_max' with a NaN", slope(tf.reduce_max, [1.0, nan, 3.0]), [nan, nan, nan])
tenths = lambda shape: tf.fill(shape, np.float32(0.1))
saw("cumsum", run(lambda: tf.cumsum(tenths([1000000]))[-1]), 100958.34)
saw("segment_sum", run(lambda: tf.math.segment_sum(tenths([1000000]), tf.zeros([1000000], tf.int32))), [100958.34])
saw("avg_pool", run(lambda: tf.nn.avg_pool2d(tenths([1, 1000, 1000, 1]), 1000, 1000, "VALID")).ravel(), [0.10095835])
saw("atan2' at 1e20", slope(lambda x: tf.atan2(x, tf.stop_gradient(x)), 1e20), 0)
entropy = tf.nn.sigmoid_cross_entropy_with_logits
saw("sigmoid cross-entropy'", slope(lambda x: entropy(labels=constant(1.0), logits=x), 20.0), 0)
saw("reshape [0, 5] to [0, -1]", run(lambda: tf.reshape(t.zeros([0, 5]), [0, -1])).shape, [0, 5])
sys.exit(failed)
PYTHON
"$folder/env/bin/python" "$folder/borders.py" 2> "$folder/errors" || { tail -5 "$folder/errors"; exit 1; }
