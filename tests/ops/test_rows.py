"""Every native operator against stock PyTorch: values, metadata, layouts, dtypes, hostile values, errors, gradients."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from torch_ipex_device import _C
from torch_ipex_device.testing.compare import assert_same
from torch_ipex_device.testing.transfer import Transfer

from .calls import IPEX, contiguous, has_kernel, in_float64, on_cpu, on_ipex, split
from .rows import ROWS

BY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
INF, NAN = float("inf"), float("nan")


def each_native():
    return pytest.mark.parametrize(
        ("row", "arguments"),
        [pytest.param(row, make, id=f"{row.name}-{name}") for row in ROWS for name, make in row.native.items()],
    )


def transposed(t):
    return t if t.dim() < 2 else t.transpose(0, -1).contiguous().transpose(0, -1)


def with_gaps(t):
    wide = torch.zeros(*t.shape, 3, dtype=t.dtype)
    wide[..., 1] = t
    return wide[..., 1]


def with_offset(t):
    longer = torch.zeros(t.numel() + 5, dtype=t.dtype)
    longer[5:] = t.reshape(-1)
    return longer[5:].view(t.shape)


def expanded(t):
    return t if t.dim() == 0 else t[:1].expand(t.shape)


LAYOUTS = {
    "contiguous": lambda t: t,
    "transposed": transposed,
    "with gaps": with_gaps,
    "with offset": with_offset,
    "expanded": expanded,
}


def compare(row, arguments, *, native, physical=False, coefficient=None):
    """Compares metadata with stock PyTorch, values with stock PyTorch and with float64, and checks the path."""
    expected = on_cpu(row, arguments)
    actual, paths = on_ipex(row, arguments, physical=physical)
    assert paths == ((1, 0) if native else (0, 1))
    assert_same(actual, expected, coefficient=coefficient or row.coefficient[0])
    return actual


@each_native()
def test_agrees_with_float64_and_runs_natively(row, arguments):
    for shape in row.shapes:
        values = arguments(contiguous(), shape)
        policy = "error" if has_kernel(row) else "silent"
        with torch.ipex.fallback_policy(policy):
            actual = compare(row, values, native=has_kernel(row))
        expected = on_cpu(row, in_float64(values))
        pairs = [(actual, expected)] if isinstance(actual, torch.Tensor) else zip(actual, expected, strict=True)
        for got, wanted in pairs:
            if wanted is None:
                assert got is None
                continue
            rtol, atol = 1.3e-6 * row.coefficient[0], 1e-5 * row.coefficient[0]
            assert_close(got.cpu().double(), wanted.double(), rtol=rtol, atol=atol, equal_nan=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@each_native()
def test_layout_of_inputs(row, arguments, layout):
    def make(shape, source=contiguous()):  # noqa: B008 - one stream of random numbers per test
        return LAYOUTS[layout](source(shape)) if len(shape) > 1 else source(shape)

    compare(row, arguments(make, row.layout_shape), native=has_kernel(row) and layout in row.native_layouts)


@each_native()
def test_physical_form_of_inputs(row, arguments):
    if not row.physical:
        pytest.skip("the kernel reads plain bytes")
    for shape in [shape for shape in row.shapes if len(shape) >= 3]:
        compare(row, arguments(contiguous(), shape), native=has_kernel(row), physical=True)


@pytest.mark.parametrize("row", [row for row in ROWS if row.elementwise], ids=lambda row: row.name)
def test_elementwise_result_has_the_dimension_order_of_its_input(row):
    def make(shape, source=contiguous()):  # noqa: B008
        values = source(shape)
        return values.to(memory_format=torch.channels_last) if len(shape) == 4 else values

    for arguments in row.native.values():
        compare(row, arguments(make, (2, 3, 4, 5)), native=has_kernel(row))


@pytest.mark.parametrize(
    ("row", "arguments"),
    [pytest.param(row, make, id=f"{row.name}-{name}") for row in ROWS for name, make in row.other.items()],
)
def test_what_the_kernel_does_not_serve_takes_the_fallback(row, arguments):
    compare(row, arguments(contiguous(), row.other_shape), native=False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
@BY_ROW
def test_dtype(row, dtype):
    arguments = next(iter(row.native.values()))
    try:
        values = arguments(contiguous(dtype), row.dtype_shape)
        on_cpu(row, values)
    except (RuntimeError, NotImplementedError) as refusal:
        if dtype is torch.bfloat16 and has_kernel(row, dtype):
            return  # ours is more than stock PyTorch's; test_autocast compares its values
        with pytest.raises((type(refusal), RuntimeError)):
            on_ipex(row, Transfer("cpu")(arguments_of_refused_dtype(row, dtype)))
        return
    rounds = dtype is torch.bfloat16 and row.rounds_sums
    compare(row, values, native=has_kernel(row, dtype), coefficient=(8.0, 1000.0) if rounds else None)


def arguments_of_refused_dtype(row, dtype):
    """Float arguments whose tensors are then cast: some rows cannot be built from integers."""

    def cast(value):
        if isinstance(value, torch.Tensor):
            return value.to(dtype)
        return dtype if isinstance(value, torch.dtype) else value

    return tuple(cast(value) for value in next(iter(row.native.values()))(contiguous(), row.dtype_shape))


@BY_ROW
def test_empty(row):
    for arguments in row.native.values():
        for shape in row.empty:
            compare(row, arguments(contiguous(), shape), native=False)


HOSTILE = {
    "some NaN": (NAN, 1, 2, 3),
    "some inf": (INF, 1, -2, 3),
    "some -inf": (-INF, 1, 2, -INF),
    "all -inf": (-INF,) * 4,
    "all inf": (INF,) * 4,
    "inf and -inf": (INF, -INF, 0, 1),
    "NaN among -inf": (-INF, NAN, -INF, -INF),
    "huge": (1e30, -1e30, 1e18, -1e18),
    "tiny": (1e-40, -1e-40, 1e-30, 0.0),
}


@pytest.mark.parametrize("kind", HOSTILE)
@each_native()
def test_hostile_values_propagate_as_in_stock_pytorch(row, arguments, kind):
    if {kind, *(name for name, made in row.native.items() if made is arguments)} & set(row.hostile_undefined):
        pytest.skip("stock PyTorch's result is rounding")

    def make(shape, source=contiguous()):  # noqa: B008
        t = source(shape)
        if len(shape) > 1 and shape[0] > 1:  # one row of four; the others stay as they are
            t[1] = torch.tensor(HOSTILE[kind]).repeat(t.shape[-1] // 4 + 1)[: t.shape[-1]]
        return t

    for shape in row.hostile_shapes:
        values = arguments(make, shape)
        expected = on_cpu(row, values)
        actual, paths = on_ipex(row, values)
        if has_kernel(row) and kind not in row.hostile_other:
            assert paths == (1, 0)
        if row.hostile_nonfinite:
            actual, expected = one_nonfinite(actual), one_nonfinite(expected)
        assert_same(actual, expected, coefficient=row.coefficient[0])


def one_nonfinite(value):
    """Nested results with NaN in place of infinities."""
    if isinstance(value, torch.Tensor):
        return torch.where(value.isfinite(), value, NAN)
    return tuple(map(one_nonfinite, value)) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("row", "call"), [pytest.param(row, call, id=row.name) for row in ROWS for call in row.invalid]
)
def test_invalid_argument_raises_the_error_of_stock_pytorch(row, call):
    values = call.arguments(contiguous(), call.shape)
    with pytest.raises(call.error, match=call.match):
        on_cpu(row, values)
    with pytest.raises(call.error, match=call.match):
        on_ipex(row, values)


@BY_ROW
def test_cpu_tensor_among_ipex_tensors_is_refused(row):
    arguments = on_tensors = next(iter(row.native.values()))(contiguous(), row.dtype_shape)
    count = sum(isinstance(value, torch.Tensor) for value in on_tensors)
    if count < 2:
        pytest.skip("takes one tensor")
    positional, keywords = split(
        tuple(value.to(IPEX) if index == 0 else value for index, value in enumerate(arguments))
    )
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        row.call(*positional, **keywords)


@BY_ROW
def test_arguments_are_left_as_they_were(row):
    values = next(iter(row.native.values()))(contiguous(), row.dtype_shape)
    moved = Transfer(IPEX)(values)
    versions = [value._version for value in moved if isinstance(value, torch.Tensor)]
    positional, keywords = split(moved)
    row.call(*positional, **keywords)
    assert_same(list(moved[:1]), list(values[:1]))
    assert [value._version for value in moved if isinstance(value, torch.Tensor)] == versions


def gradients(row, inputs):
    """Result, gradients, and gradients of the gradients' squares."""
    result = row.function(*inputs)
    weights = torch.linspace(-1, 1, result.numel()).reshape(result.shape).to(result.device, result.dtype)
    first = torch.autograd.grad((result * weights).sum(), inputs, create_graph=True)
    squares = sum(g.square().sum() for g in first)
    if not squares.requires_grad:  # the operator is linear
        return result, first, (None,) * len(inputs)
    try:
        second = torch.autograd.grad(squares, inputs, allow_unused=True)
    except RuntimeError as error:
        if "is not implemented" not in str(error):
            raise
        second = (None,) * len(inputs)
    return result, first, second


@BY_ROW
def test_gradient_and_double_backward(row):
    make = contiguous()
    inputs = tuple(make(shape).requires_grad_() for shape in row.inputs(row.shapes[-1]))
    expected = gradients(row, inputs)
    actual = gradients(row, Transfer(IPEX)(inputs))
    for got, wanted in zip([actual[0], *actual[1], *actual[2]], [expected[0], *expected[1], *expected[2]], strict=True):
        if wanted is None:  # a bias has no second derivative
            assert got is None
            continue
        assert_close(got.cpu(), wanted, rtol=1e-3, atol=1e-3)  # second derivatives add up rounding of three kernels


@BY_ROW
def test_gradcheck_direction(row):
    """The analytic gradient is the slope of the function itself, independent of any other implementation."""
    make = contiguous(seed=1)
    inputs = [make(shape).to(IPEX).requires_grad_() for shape in row.inputs((3, 16))]
    step = [make(shape).to(IPEX) for shape in row.inputs((3, 16))]
    result = row.function(*inputs)
    weights = make(result.shape).to(IPEX)
    slopes = torch.autograd.grad((result * weights).sum(), inputs)
    slope = sum((g * s).sum() for g, s in zip(slopes, step, strict=True))

    def value(t):
        with torch.no_grad():
            moved = [x + t * s for x, s in zip(inputs, step, strict=True)]
            return (row.function(*moved) * weights).cpu().double().sum()

    assert_close(slope.cpu().double(), (value(1e-2) - value(-1e-2)) / 2e-2, rtol=2e-2, atol=2e-2)


@BY_ROW
def test_autocast(row):
    make = contiguous(torch.bfloat16)
    inputs = tuple(make(shape) for shape in row.inputs((4, 32)))
    try:
        row.function(*inputs)
    except NotImplementedError as refusal:  # stock PyTorch has no bfloat16 kernel, and autocast has no rule
        if not has_kernel(row, torch.bfloat16):
            with torch.autocast("ipex", torch.bfloat16), pytest.raises(type(refusal)):
                row.function(*Transfer(IPEX)(inputs))
            return
    with torch.autocast("ipex", torch.bfloat16):
        actual = row.function(*Transfer(IPEX)(inputs))
    assert actual.dtype is row.autocast
    expected = row.function(*(t.float() for t in inputs))
    assert_close(actual.cpu().float(), expected, rtol=2e-2, atol=2e-2)  # two roundings to bfloat16


@pytest.mark.parametrize("threads", [1, 2])
@BY_ROW
def test_result_does_not_depend_on_the_number_of_threads(row, threads):
    before = torch.get_num_threads()
    values = next(iter(row.native.values()))(contiguous(), row.threads_shape)
    expected = on_cpu(row, values)
    torch.set_num_threads(threads)
    try:
        actual, _ = on_ipex(row, values)
    finally:
        torch.set_num_threads(before)
    assert_same(actual, expected, coefficient=4 * max(row.coefficient[0], 1))  # long sums in another order


def test_native_kernels_can_be_switched_off():
    src = torch.randn(3, 8)
    _C.set_native_enabled(False)
    try:
        torch.ipex.reset_fallback_stats()
        assert_same(torch.softmax(src.to(IPEX), -1), torch.softmax(src, -1))
        assert torch.ipex.operator_stats()["aten::_softmax"] == (0, 1)
    finally:
        _C.set_native_enabled(True)
