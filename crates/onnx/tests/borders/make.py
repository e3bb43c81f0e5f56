"""Writes right.txt: what operators of ONNX give at the borders of their range, computed so that it is right.

    pip install onnx==1.22.0 onnxruntime==1.31.1 numpy mpmath==1.3.0
    python make.py > right.txt

Functions of an element are computed with 60 digits (mpmath); others with ONNX's reference evaluator in float64, on the float32 numbers that are
fed; both are rounded to float32 once. Infinities and NaN are the reference evaluator's. On the standard error stands where the reference
evaluator in float32, or onnxruntime, gives something else: that is not taken over.

A case is a line `OPERATOR opset=N ulps=N NAME=VALUE..`, then a line for each input and one for the output: type, shape, elements.
"""

import sys
import warnings

import mpmath
import numpy as np
import onnx
import onnxruntime
from mpmath import mp, mpf
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

warnings.simplefilter("ignore")
onnxruntime.set_default_logger_severity(4)
mp.dps = 60
F32, F64, I32, I64, BOOL = np.float32, np.float64, np.int32, np.int64, np.bool_
NAMES = {"float32": "f32", "float64": "f64", "int32": "i32", "int64": "i64", "bool": "bool"}
INF, NAN = float("inf"), float("nan")
HALF = [1e-8, 1e-4, 0.3, 0.5, 0.999, 1.0, 1.0001, 2.0, 3.5, 5.0, 9.0, 12.0, 20.0, 50.0, 87.0, 88.5, 88.8, 89.2, 103.0, 1e4, 1e10, 1e20, 3e38, INF]
EDGES = np.array([-x for x in reversed(HALF)] + [-0.0, 0.0] + HALF + [NAN], F32)


def model(operator, opset, inputs, attributes, dtype=None):
    element = lambda array: helper.np_dtype_to_tensor_dtype(dtype if dtype and array.dtype == F32 else array.dtype)
    names = [f"x{place}" for place in range(len(inputs))]
    node = helper.make_node(operator, names, ["y"], **attributes)
    ports = [helper.make_tensor_value_info(name, element(x), x.shape) for name, x in zip(names, inputs)]
    output = onnx.ValueInfoProto(name="y")
    graph = helper.make_graph([node], "case", ports, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def reference(operator, opset, inputs, attributes, wide):
    given = [x.astype(F64) if wide and x.dtype == F32 else x for x in inputs]
    made = model(operator, opset, inputs, attributes, np.dtype(F64) if wide else None)
    return ReferenceEvaluator(made).run(None, {f"x{place}": x for place, x in enumerate(given)})[0]


def runtime(operator, opset, inputs, attributes):
    if operator == "Mod" and inputs[0].dtype == I32:
        return None  # -2147483648 by -1 ends the process.
    made = model(operator, opset, inputs, attributes)
    made.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(inputs[0].dtype), None))
    try:
        session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {f"x{place}": x for place, x in enumerate(inputs)})[0]
    except Exception:
        return None


def shown(value, kind):
    if kind == BOOL:
        return str(bool(value)).lower()
    if np.issubdtype(kind, np.integer):
        return str(int(value))
    return "nan" if np.isnan(value) else repr(kind.type(value).item() if kind == F64 else value).replace("np.float32(", "").rstrip(")")


def line(array):
    dims = ",".join(map(str, array.shape))
    return f"  {NAMES[array.dtype.name]}[{dims}] " + " ".join(shown(x, array.dtype) for x in array.ravel())


def far(one, other, ulps):
    if one is None:
        return False
    if one.shape != other.shape:
        return True
    if not np.issubdtype(other.dtype, np.floating):
        return not np.array_equal(one, other)
    with np.errstate(all="ignore"):
        near = np.abs(one.astype(F64) - other.astype(F64)) <= ulps * np.maximum(np.spacing(np.abs(other)), np.finfo(F32).smallest_subnormal)
    return not np.all((one == other) | (np.isnan(one) & np.isnan(other)) | near)


def case(operator, inputs, right=None, opset=17, ulps=4, **attributes):
    if right is None:
        right = reference(operator, opset, inputs, attributes, True)
        right = right.astype(F32) if right.dtype == F64 and all(x.dtype != F64 for x in inputs) else right
    said = " ".join(
        f"{name}={','.join(map(str, value)) + ',' if isinstance(value, list) else value}" for name, value in attributes.items()
    )
    print(f"{operator} opset={opset} ulps={ulps} {said}".rstrip())
    for array in inputs + [right]:
        print(line(array))
    try:
        evaluated = reference(operator, opset, inputs, attributes, False)
    except Exception:
        evaluated = None
    for who, other in [("reference evaluator", evaluated), ("onnxruntime", runtime(operator, opset, inputs, attributes))]:
        if far(other, right, 16):
            print(f"{operator} {said}: the {who} gives\n{line(other)}\nand not\n{line(right)}", file=sys.stderr)


def element(operator, function, ulps=4, opset=17, xs=EDGES, **attributes):
    """A function of each element, by 60 digits where the element is finite."""
    wide = reference(operator, opset, [xs], attributes, True)
    right = []
    for x, otherwise in zip(xs, wide):
        if not np.isfinite(x):
            right.append(otherwise)
            continue
        value = function(mpf(float(x)))
        if isinstance(value, mpmath.mpc):
            value = mpf("nan") if abs(value.imag) > 0 else value.real
        value = float(value)
        # The sign of a zero is no matter of digits.
        right.append(np.copysign(0.0, otherwise) if value == 0 and otherwise == 0 else value)
    case(operator, [xs], np.array(right, F64).astype(F32), opset, ulps, **attributes)


def f32(*rows):
    return np.array(rows, F32)


def number(x):
    """The attribute as a float32 holds it."""
    return mpf(float(F32(x)))


def log(x):
    return mp.log(x) if x > 0 else (mpf("-inf") if x == 0 else mpf("nan"))


def inside(function, low, high):
    return lambda x: function(x) if low <= x <= high else mpf("nan")


sigmoid = lambda x: 1 / (1 + mp.exp(-x))
softplus = lambda x: mp.log1p(mp.exp(x)) if x < 100 else x + mp.exp(-x)
clip = lambda x: min(max(x, mpf(0)), mpf(1))
phi = lambda x: mp.erfc(-x / mp.sqrt(2)) / 2

def log_sum_exp(row):
    if np.isnan(row).any() or np.isinf(row).any():
        return NAN if np.isnan(row).any() else float(row.max())
    return float(mp.log(mp.fsum(mp.exp(mpf(float(x)) - mpf(float(row.max()))) for x in row)) + mpf(float(row.max())))


def log_softmax(row):
    if not np.isfinite(row).all():
        row = row.astype(F64)
        return row - row.max() - np.log(np.exp(row - row.max()).sum())
    return [float(mpf(float(x)) - mpf(float(row.max())) - mp.log(mp.fsum(mp.exp(mpf(float(y)) - mpf(float(row.max()))) for y in row))) for x in row]


print("# Made by make.py: see there.")
element("Abs", abs)
element("Neg", lambda x: -x)
element("Ceil", mp.ceil)
element("Floor", mp.floor)
element("Round", lambda x: mp.nint(x), xs=np.array([-2.5, -1.5, -0.5, -0.2, 0.5, 1.5, 2.5, 8388609.0, 1e20, INF, -INF, NAN], F32))
element("Sign", mp.sign)
element("Reciprocal", lambda x: 1 / x if x else mpf("inf"), xs=EDGES[EDGES != 0])
element("Sqrt", inside(mp.sqrt, 0, mpf("inf")))
element("Exp", mp.exp)
element("Log", log)
element("Sin", mp.sin)
element("Cos", mp.cos)
element("Tan", mp.tan)
element("Erf", mp.erf)
element("Tanh", mp.tanh)
element("Sinh", mp.sinh)
element("Cosh", mp.cosh)
element("Asinh", mp.asinh)
element("Acosh", inside(mp.acosh, 1, mpf("inf")))
element("Atanh", lambda x: mp.atanh(x) if abs(x) < 1 else mpf("nan") if abs(x) > 1 else x * mpf("inf"))
element("Asin", inside(mp.asin, -1, 1))
element("Acos", inside(mp.acos, -1, 1))
element("Atan", mp.atan)
element("Sigmoid", sigmoid)
element("Softplus", softplus)
element("Softsign", lambda x: x / (1 + abs(x)))
element("HardSigmoid", lambda x: clip(number(0.2) * x + number(0.5)), ulps=8)
element("HardSwish", lambda x: x * clip(x / 6 + mpf(1) / 2), ulps=8)
# At -103 the softplus is the smallest number there is.
element("Mish", lambda x: x * mp.tanh(softplus(x)), opset=18, ulps=8, xs=EDGES[EDGES != -103])
for alpha in [1.0, 0.1, 3.0]:
    a = number(alpha)
    element("Elu", lambda x: x if x > 0 else a * mp.expm1(x), alpha=alpha)
    element("Celu", lambda x: x if x > 0 else a * mp.expm1(x / a), alpha=alpha, ulps=8)
    element("LeakyRelu", lambda x: x if x > 0 else a * x, alpha=alpha)
    element("ThresholdedRelu", lambda x: x if x > a else mpf(0), alpha=alpha)
element("Selu", lambda x: number(1.0507009873554805) * (x if x > 0 else number(1.6732632423543772) * mp.expm1(x)))
# x / sqrt(2), or the cube, is off by a unit, which the exponential takes as often as its exponent is large.
element("Gelu", lambda x: x * phi(x), opset=20, ulps=160)
element("Gelu", lambda x: x * sigmoid(mp.sqrt(8 / mp.pi) * (x + mpf("0.044715") * x**3)), opset=20, ulps=160, approximate="tanh")
element("Shrink", lambda x: x - number(0.25) if x > number(1.5) else x + number(0.25) if x < -number(1.5) else mpf(0), lambd=1.5, bias=0.25)
element("Relu", lambda x: max(x, mpf(0)))
for negative, positive in [(1, 1), (1, 0), (0, 1), (0, 0)]:
    case("IsInf", [f32(-INF, -1.0, NAN, 3e38, INF)], opset=20, detect_negative=negative, detect_positive=positive)

# Two operands.
xs = f32(1e10, -1e10, 5.0, -5.0, 5.0, 5.3, -5.3, 5.3, -5.3, 1e20, 3e38, 1.0, INF, NAN, 7.0, 0.0, -0.0)
ys = f32(3.0, 3.0, INF, INF, -INF, 2.1, 2.1, -2.1, -2.1, 7.0, 1e-38, 3e38, 2.0, 2.0, 0.0, 5.0, 5.0)
case("Mod", [xs, ys], np.fmod(xs.astype(F64), ys.astype(F64)).astype(F32), fmod=1)
case("Mod", [xs.astype(F64), ys.astype(F64)], np.fmod(xs.astype(F64), ys.astype(F64)), fmod=1)
low = np.iinfo(I32).min
case("Mod", [np.array([7, -7, 7, -7, low, low], I32), np.array([3, 3, -3, -3, 7, -1], I32)], np.array([1, -1, 1, -1, -2, 0], I32), fmod=1)
case("Mod", [np.array([7, -7, 7, -7, low, low], I32), np.array([3, 3, -3, -3, 7, -1], I32)], np.array([1, 2, -2, -1, 5, 0], I32))
case("Div", [np.array([7, -7, 7, -7, low], I32), np.array([2, 2, -2, -2, 3], I32)], np.array([3, -3, -3, 3, -715827882], I32))
bases = f32(-1, -1, -1, -1, -1, 2, -2, 0, 0, -0.0, -0.0, INF, -INF, -INF, NAN, NAN, 1.0000001, 0.5, -3)
exponents = np.array([16777217, -16777217, 2**53 + 1, -(2**53) - 1, 2**62, 127, 127, 0, 5, 5, -5, 3, 3, -3, 0, 1, 16777217, 149, 0], I64)
right = [-1, -1, -1, -1, 1, 2.0**127, -(2.0**127), 1, 0, -0.0, -INF, INF, -INF, -0.0, 1, NAN, float(mpf(float(F32(1.0000001))) ** 16777217), 2.0**-149, 1]
case("Pow", [bases, exponents], np.array(right, F32))
case("Pow", [bases.astype(F64), exponents], np.array([*right[:16], float(mpf(float(F32(1.0000001))) ** 16777217), *right[17:]], F64))
small = f32(-1.5, -1.5, 0.0, -0.0, 0.0, 2.0, 3.0, INF, NAN, 1.0, 1.0)
case("Pow", [small, f32(3.0, 0.5, 0.0, 3.0, -1.0, 127.5, -90.0, -1.0, 0.0, NAN, INF)])
case("Pow", [np.array([2, 2, 2, -3, 1], I32), np.array([31, 32, 2**32, 3, 2**40], I64)], np.array([-(2**31), 0, 0, -27, 1], I32))
case("Pow", [np.array([2, -1, 10], I64), np.array([0.5, 3.0, 18.0], F32)], np.array([1, -1, 10**18], I64))
case("Max", [f32(NAN, 1, -INF, 2), f32(1, NAN, INF, 3), f32(2, 2, 0, NAN)])
case("Min", [f32(NAN, 1, -INF, 2), f32(1, NAN, INF, 3), f32(2, 2, 0, NAN)])
case("PRelu", [f32(-INF, -1e20, -1e-8, -0.0, 0.0, 3e38, INF, NAN), f32(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)])
case("Clip", [EDGES, np.array(-2.0, F32), np.array(1e19, F32)])

# Some axes.
rows = f32([3e20, 4e20, 0, 0], [1e-30, -2e-30, 2e-30, 0], [0, 0, 0, 0], [INF, 1, 2, 3], [NAN, 1, 2, 3], [1e-8, 1, -1e8, 1], [-3e38, 1, 2, 2])
for operator in ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceSumSquare", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"]:
    case(operator, [rows], opset=12, axes=[1], keepdims=0, ulps=8)
case("ReduceProd", [f32([1e20, 1e18, 1e-30], [1e-3, 1e20, 1e-30], [0, 1, 2], [INF, 1, 2], [NAN, 1, 0], [-3, 5, 7])], axes=[1], keepdims=0)
case("ReduceLogSumExp", [rows], f32(*map(log_sum_exp, rows)), axes=[1], keepdims=0, ulps=8)
case("ReduceL2", [np.array([[30000, 40000], [3, 4]], I64)], np.array([50000, 5], I64), axes=[1], keepdims=0)
single = f32([-INF], [INF], [NAN], [5])
case("ReduceLogSumExp", [single], f32(-INF, INF, NAN, 5), axes=[1], keepdims=0)
scores = f32([1e20, -1e20, 0], [88, 89, 90], [-104, -88, 0], [-1e-8, 0, 1e-8], [-INF, 0, 1], [3e38, -3e38, 3e38], [NAN, 0, 1], [7, 7, 7])
case("Softmax", [scores], axis=-1, ulps=8)
case("Hardmax", [scores[:6]], axis=-1)
logs = np.array([log_softmax(row) for row in scores], F64)
# What is lost beside 1 is no loss.
logs = np.where(np.abs(logs) < 1e-9, 0.0, logs)
case("LogSoftmax", [scores], logs.astype(F32), axis=-1, ulps=8)
labels = np.array([1, 0, 0, 2], I64)
case("SoftmaxCrossEntropyLoss", [scores[:4], labels], -logs[range(4), labels].astype(F32), reduction="none", ulps=8)

# Norms of rows that are large, small, all the same, nothing.
data = np.stack([f32([s, -s, 3 * s, -3 * s]) for s in [1e20, 1e30, 1.0, 1e-4, 1e-8, 1e-20]] + [f32([5, 5, 5, 5]), f32([0, 0, 0, 0])], 1)
ones, zeros = np.ones(8, F32), np.zeros(8, F32)
case("InstanceNormalization", [data, ones, zeros], ulps=8)
case("LayerNormalization", [data[0], np.ones(4, F32), np.zeros(4, F32)], axis=-1, ulps=8)
case("RMSNormalization", [data[0], np.ones(4, F32)], opset=23, axis=-1, ulps=8)
# The reference evaluator computes this in float32 whatever it is fed.
wide = data.astype(F64) - data.astype(F64).mean(2, keepdims=True)
wide /= np.sqrt((wide**2).mean(2, keepdims=True) + F64(F32(1e-5)))
case("GroupNormalization", [data, ones, zeros], wide.astype(F32), opset=21, num_groups=8, ulps=8)
squares = data.reshape(1, 8, 2, 2)
deviation = np.sqrt(np.mean((squares.astype(F64) - squares.astype(F64).mean((0, 2, 3), keepdims=True)) ** 2, (0, 2, 3), keepdims=True))
case("MeanVarianceNormalization", [squares], ((squares.astype(F64) - squares.astype(F64).mean((0, 2, 3), keepdims=True)) / (deviation + 1e-9)).astype(F32), axes=[0, 2, 3], ulps=8)
for p in [1, 2]:
    norm = np.linalg.norm(data[0].astype(F64), p, 1, keepdims=True)
    case("LpNormalization", [data[0]], (data[0] / np.where(norm == 0, 1, norm)).astype(F32), opset=22, axis=-1, p=p, ulps=8)
for p in [2, 3]:
    powers = np.sum(np.abs(data.astype(F64)) ** p, 2, keepdims=True) ** (1 / p)
    case("GlobalLpPool", [data], powers.astype(F32), p=p)
    pairs = (np.abs(data.astype(F64)) ** p).reshape(1, 8, 2, 2).sum(3) ** (1 / p)
    case("LpPool", [data], pairs.astype(F32), opset=18, kernel_shape=[2], strides=[2], p=p)
case("BatchNormalization", [data, ones, zeros, data[0, :, 0] * F32(0.5), np.full(8, 1e-12, F32)], right=((data.astype(F64) - data[:, :, :1].astype(F64) * 0.5) / np.sqrt(F64(F32(1e-12)) + F64(F32(1e-5)))).astype(F32), ulps=8)

# Before opset 11 the nearest is above where images become smaller: by onnxruntime, whose rule it is.
for count, scale in [(4, 0.6), (4, 0.3), (7, 0.5), (10, 0.35), (3, 2.0), (3, 1.6), (5, 0.9)]:
    image = np.arange(1, 2 * count + 1, dtype=F32).reshape(1, 1, 2, count)
    scales = f32(1, 1, scale, scale) if scale >= 0.5 else f32(1, 1, 1, scale)
    case("Resize", [image, scales], runtime("Resize", 10, [image, scales], {"mode": "nearest"}), opset=10, mode="nearest")
