"""In-place and out= overloads of native operators: values, identity, versions, resizing, strides, overlap errors."""

from __future__ import annotations

import re
import warnings

import pytest
import torch

from torch_ipex_device.testing.compare import assert_same
from torch_ipex_device.testing.transfer import Transfer

from .calls import IPEX, contiguous, has_kernel, in_physical_form, on_cpu, out_names, overload, paths_of, split
from .rows import ROWS
from .test_rows import LAYOUTS


def keeps_shape(row, arguments, shape):
    """Whether the result can be written into the first tensor."""
    values = arguments(contiguous(), shape)
    result = on_cpu(row, values)
    return isinstance(values[0], torch.Tensor) and result.shape == values[0].shape


def each(kind):
    return pytest.mark.parametrize(
        ("row", "arguments"),
        [
            pytest.param(row, make, id=f"{getattr(row, kind).removeprefix('aten::')}-{name}")
            for row in ROWS
            if getattr(row, kind)
            for name, make in row.native.items()
        ],
    )


def call(name, arguments, **results):
    positional, keywords = split(arguments)
    return overload(name)(*positional, **keywords, **results)


def results_like(row, arguments, change=lambda t: t):
    """Uninitialised results for the out= overload, by keyword."""
    results = on_cpu(row, arguments)
    results = (results,) if isinstance(results, torch.Tensor) else results
    return {name: change(torch.full_like(result, 7)) for name, result in zip(out_names(row.out), results, strict=True)}


def raised(function):
    """The exception that `function` raises, or None."""
    try:
        function()
    except (RuntimeError, IndexError, NotImplementedError, TypeError) as error:
        return error
    return None


@each("inplace")
def test_inplace_writes_the_first_tensor_and_returns_it(row, arguments):
    for shape in row.shapes:
        if not keeps_shape(row, arguments, shape):
            continue
        values = arguments(contiguous(), shape)
        moved = Transfer(IPEX)(values)
        before, version = moved[0].data_ptr(), moved[0]._version
        torch.ipex.reset_fallback_stats()
        result = call(row.inplace, moved)
        assert paths_of(row.inplace) == ((1, 0) if has_kernel(row) else (0, 1))
        assert result is moved[0]
        assert (result.data_ptr(), result._version) == (before, version + 1)
        assert_same(result, call(row.inplace, values), coefficient=row.coefficient[0])


@pytest.mark.parametrize("layout", LAYOUTS)
@each("inplace")
def test_inplace_layout(row, arguments, layout):
    def make(shape, source=contiguous()):  # noqa: B008 - one stream of random numbers per test
        return LAYOUTS[layout](source(shape)) if len(shape) > 1 else source(shape)

    values = arguments(make, row.layout_shape)
    moved = Transfer(IPEX)(values)
    refusal = raised(lambda: call(row.inplace, values))
    if refusal is not None:
        with pytest.raises(type(refusal)):
            call(row.inplace, moved)
        return
    call(row.inplace, moved)
    assert_same(list(moved), list(values), coefficient=row.coefficient[0])


@each("inplace")
def test_inplace_in_physical_form(row, arguments):
    for shape in [shape for shape in row.shapes if len(shape) >= 3]:
        if not keeps_shape(row, arguments, shape):
            continue
        values = arguments(contiguous(), shape)
        moved = in_physical_form(Transfer(IPEX)(values))
        view = moved[0][..., :1]
        call(row.inplace, moved)
        call(row.inplace, values)
        assert_same(list(moved), list(values), coefficient=row.coefficient[0])
        assert_same(view.clone(), values[0][..., :1].clone(), coefficient=row.coefficient[0])


@each("inplace")
def test_inplace_on_a_view_leaves_its_surroundings(row, arguments):
    if not keeps_shape(row, arguments, (3, 8)):
        pytest.skip("the result has another shape")
    values = arguments(contiguous(), (3, 8))
    if values[0].shape != (3, 8):
        pytest.skip("the first tensor has another shape")
    base = contiguous(seed=5)((5, 16))
    base[1:4, 4:12] = values[0]
    moved = Transfer(IPEX)([base, *values[1:]])
    call(row.inplace, (moved[0][1:4, 4:12], *moved[1:]))
    call(row.inplace, (base[1:4, 4:12], *values[1:]))
    assert_same(moved[0], base, coefficient=row.coefficient[0])


@each("out")
def test_out_of_the_right_size_is_written(row, arguments):
    for shape in row.shapes:
        values = arguments(contiguous(), shape)
        results = results_like(row, values)
        moved, places = Transfer(IPEX)(values), Transfer(IPEX)(results)
        before = [t.data_ptr() for t in places.values()]
        torch.ipex.reset_fallback_stats()
        actual = call(row.out, moved, **places)
        assert paths_of(row.out) == ((1, 0) if has_kernel(row) else (0, 1))
        actual = (actual,) if isinstance(actual, torch.Tensor) else actual
        assert all(got is wanted for got, wanted in zip(actual, places.values(), strict=True))
        assert [t.data_ptr() for t in places.values()] == before
        call(row.out, values, **results)
        assert_same(places, results, coefficient=row.coefficient[0])


CHANGES = {
    "empty": lambda t: torch.empty(0, dtype=t.dtype),
    "larger": lambda t: torch.zeros(t.numel() + 3, dtype=t.dtype),
    "transposed": lambda t: t if t.dim() < 2 else t.transpose(0, -1).contiguous().transpose(0, -1),
    "with gaps": lambda t: torch.zeros(*t.shape, 2, dtype=t.dtype)[..., 1],
    "float64": lambda t: t.double(),
    "int64": lambda t: t.long(),
}


@pytest.mark.parametrize("change", CHANGES)
@each("out")
def test_out_of_another_kind_does_what_stock_pytorch_does(row, arguments, change):
    values = arguments(contiguous(), row.layout_shape)
    results = results_like(row, values, CHANGES[change])
    moved, places = Transfer(IPEX)(values), Transfer(IPEX)(results)
    with warnings.catch_warnings(record=True) as expected:
        warnings.simplefilter("always")
        refusal = raised(lambda: call(row.out, values, **results))
    with warnings.catch_warnings(record=True) as actual:
        warnings.simplefilter("always")
        answer = raised(lambda: call(row.out, moved, **places))
    assert type(answer) is type(refusal), answer
    assert [str(w.message) for w in actual] == [str(w.message) for w in expected]
    if refusal is None:
        wanted = on_cpu(row, values)  # stock softmax writes `out` as if it were contiguous
        for result, value in zip(
            results.values(), (wanted,) if isinstance(wanted, torch.Tensor) else wanted, strict=True
        ):
            result.copy_(value)
        assert_same(places, results, coefficient=max(row.coefficient[0], 1))


@each("out")
def test_out_with_all_elements_in_one_place(row, arguments):
    values = arguments(contiguous(), row.layout_shape)
    moved = Transfer(IPEX)(values)
    places = results_like(row, values, lambda t: torch.zeros(1, dtype=t.dtype).to(IPEX).expand(t.shape))
    answer = raised(lambda: call(row.out, moved, **places))
    if answer is not None:
        assert re.search("written-to tensor refers to a single memory location", str(answer))
        return
    results = results_like(row, values, lambda t: torch.zeros(1, dtype=t.dtype).expand(t.shape))
    call(row.out, values, **results)  # stock PyTorch writes them all: whatever comes last stays
    assert_same(places, results)


@each("out")
def test_out_in_physical_form(row, arguments):
    for shape in [shape for shape in row.shapes if len(shape) >= 3]:
        values = arguments(contiguous(), shape)
        results = results_like(row, values)
        places = {name: in_physical_form(t) for name, t in Transfer(IPEX)(results).items()}
        call(row.out, in_physical_form(Transfer(IPEX)(values)), **places)
        call(row.out, values, **results)
        assert_same(places, results, coefficient=row.coefficient[0])


@pytest.mark.parametrize("offset", [0, 3])
@each("out")
def test_out_that_overlaps_an_input_does_what_stock_pytorch_does(row, arguments, offset):
    values = arguments(contiguous(), (4, 8))
    results = list(results_like(row, values).values())
    first = values[0]
    if len(results) > 1 or not isinstance(first, torch.Tensor) or not results[0].shape == first.shape == (4, 8):
        pytest.skip("results cannot overlap the first input")
    name = out_names(row.out)[0]

    def run(base, more):
        call(row.out, (base[:32].view(4, 8), *more), **{name: base[offset:][:32].view(4, 8)})

    base = contiguous(seed=3)((40,))
    place = base.to(IPEX)
    refusal = raised(lambda: run(base, values[1:]))
    answer = raised(lambda: run(place, Transfer(IPEX)(values)[1:]))
    assert type(answer) is type(refusal), answer
    if refusal is None and offset == 0:  # otherwise what is read depends on which thread was first to write
        assert_same(place, base, coefficient=row.coefficient[0])
