"""split_float and cat_float: every pattern of bits, layouts, devices, writes, errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, library

from .cases import DEVICES, OPS, numbers
from .weights import kept

NAN = 0x7FC0
# Numbers whose lower or upper half is one of these are halves, their neighbours, or neighbours of infinity and NaN.
EDGES = [0, 1, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF, 0x7F7F, 0x7F80, 0x7F81, 0x7FC0, 0xFF7F, 0xFF80, 0xFF81]
ALL = torch.arange(2**16, dtype=torch.int32)


def patterns() -> Tensor:
    """Every upper half with the edges as lower half, and every lower half with the edges as upper half, int32."""
    edges = torch.tensor(EDGES, dtype=torch.int32)
    return torch.cat([((ALL << 16)[:, None] + edges).flatten(), ((edges << 16)[:, None] + ALL).flatten()])


def split(source: Tensor) -> tuple[Tensor, Tensor]:
    top, bits = torch.empty_like(source, dtype=torch.bfloat16), torch.empty_like(source, dtype=torch.int16)
    OPS.split_float(source, top, bits)
    return top, bits


def cat(top: Tensor, bits: Tensor) -> Tensor:
    out = torch.empty_like(top, dtype=torch.float32)
    OPS.cat_float(top, bits, out)
    return out


def same(a: Tensor, b: Tensor) -> bool:
    """Bit for bit, NaN too."""
    integer = {2: torch.int16, 4: torch.int32}[a.element_size()]
    return torch.equal(a.cpu().contiguous().view(integer), b.cpu().contiguous().view(integer))


def low(pattern: Tensor) -> Tensor:
    """The lower 16 bits, as int16."""
    return pattern.contiguous().view(torch.int16)[::2]


@pytest.mark.parametrize("device", DEVICES)
def test_every_pattern_is_split(device):
    pattern = patterns()
    source = pattern.view(torch.float32)
    top, bits = split(source.to(device))
    assert torch.equal(bits.cpu(), low(pattern))
    nearest = low((pattern.long() + 0x8000 >> 16).int()).masked_fill(source.isnan(), NAN)
    assert torch.equal(top.cpu().view(torch.int16), nearest)
    alone = torch.empty_like(top)
    OPS.split_float(source.to(device), alone)
    assert same(alone, top)


@pytest.mark.parametrize("device", DEVICES)
def test_every_pattern_comes_back(device):
    source = patterns().view(torch.float32)
    joined = cat(*split(source.to(device))).cpu()
    assert torch.equal(joined.isnan(), source.isnan())
    assert same(joined.nan_to_num(nan=0.0), source.nan_to_num(nan=0.0))


@pytest.mark.parametrize("device", DEVICES)
def test_every_top_is_joined_with_bits_of_another(device):
    """The sum of the patterns, and the number in top itself where that would be a NaN that top is not."""
    edges = low(torch.tensor(EDGES, dtype=torch.int32))
    top = low(ALL).view(torch.bfloat16)[:, None].expand(-1, len(EDGES)).contiguous()
    bits = edges.expand(len(ALL), -1).contiguous()
    plain = (top.float().view(torch.int32).long() + bits).int().view(torch.float32)
    expected = torch.where(plain.isnan() & ~top.isnan(), top.float(), plain)
    joined = cat(top.to(device), bits.to(device))
    assert same(joined, expected)
    assert torch.equal(joined.isnan().cpu(), top.isnan())


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "row-major": lambda t: t.contiguous(),
    "channels-last": lambda t: t.contiguous(memory_format=torch.channels_last),
    "transposed": lambda t: t.transpose(0, 3).contiguous().transpose(0, 3),
    "with gaps": lambda t: torch.cat([t, t], 3)[..., : t.size(3)],
    "every second": lambda t: t.repeat_interleave(2, 1)[:, ::2],
    "offset": lambda t: torch.cat([t, t])[t.size(0) :],
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("third", LAYOUTS)
@pytest.mark.parametrize("second", LAYOUTS)
@pytest.mark.parametrize("first", LAYOUTS)
def test_layouts(first, second, third, device):
    source = numbers(2, 3, 4, 5)
    expected_top, expected_bits = split(source)
    there = LAYOUTS[first](source.to(device))
    top = LAYOUTS[second](torch.zeros(2, 3, 4, 5, dtype=torch.bfloat16, device=device))
    bits = LAYOUTS[third](torch.zeros(2, 3, 4, 5, dtype=torch.int16, device=device))
    strides = [t.stride() for t in (there, top, bits)]
    OPS.split_float(there, top, bits)
    assert same(top, expected_top) and same(bits, expected_bits)
    out = there.zero_()
    OPS.cat_float(top, bits, out)
    assert same(out, source)
    assert [t.stride() for t in (out, top, bits)] == strides


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_not_written_stays(device):
    """Of memory that a written view leaves out."""
    top, bits = (
        torch.ones(4, 8, dtype=torch.bfloat16, device=device),
        torch.ones(4, 8, dtype=torch.int16, device=device),
    )
    source = numbers(4, 4).to(device)
    OPS.split_float(source, top[:, ::2], bits[:, 1::2])
    assert (top[:, 1::2] == 1).all() and (bits[:, ::2] == 1).all()
    out = torch.ones(4, 8, device=device)
    OPS.cat_float(top[:, ::2], bits[:, 1::2], out[:, :4])
    assert same(out[:, :4], source) and (out[:, 4:] == 1).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (1, 1), (17,), (100_003,)], ids=str)
def test_shapes(shape, device):
    source = numbers(*shape).to(device)
    top, bits = split(source)
    assert top.shape == bits.shape == source.shape
    assert same(cat(top, bits), source)


@pytest.mark.parametrize("device", DEVICES)
def test_a_source_that_repeats_itself(device):
    source = numbers(5).to(device).expand(3, 5)
    top, bits = (torch.empty(3, 5, dtype=dtype, device=device) for dtype in (torch.bfloat16, torch.int16))
    OPS.split_float(source, top, bits)
    assert same(cat(top, bits), source)


def test_threads_make_no_difference():
    source, before = numbers(300_000), torch.get_num_threads()
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append((*split(source), cat(*split(source))))
    torch.set_num_threads(before)
    assert all(map(same, *results))


@pytest.mark.parametrize("device", DEVICES)
def test_writes_are_counted(device):
    source = numbers(8).to(device)
    top, bits = split(source)
    assert (source._version, top._version, bits._version) == (0, 1, 1)
    OPS.split_float(source, top.view(2, 4).view(8))
    assert (top._version, bits._version) == (2, 1)
    with torch.no_grad():
        OPS.cat_float(top, bits, source)
    assert (source._version, top._version, bits._version) == (1, 2, 1)


def test_backward_notices_a_write():
    x, top = numbers(4).bfloat16().requires_grad_(), torch.ones(4).bfloat16()
    y = (x * top).sum()
    OPS.split_float(numbers(4), top)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_inference_mode():
    with torch.inference_mode():
        source = numbers(4)
        assert same(cat(*split(source)), source)
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
        OPS.split_float(numbers(4), split_in_inference_mode())


def split_in_inference_mode() -> Tensor:
    with torch.inference_mode():
        return split(numbers(4))[0]


@pytest.mark.parametrize("device", DEVICES)
def test_kept_copies_of_a_weight_are_dropped(device):
    weight, x = numbers(64, 64).bfloat16().to(device), numbers(4, 64, seed=1).bfloat16().to(device)
    with torch.no_grad():
        for _ in range(3):
            OPS.linear(x, weight)
        if device == "cpu":
            assert kept() > 0
        OPS.split_float(numbers(64, 64, seed=2).to(device), weight)
        got, expected = OPS.linear(x, weight), x.cpu().float() @ weight.cpu().float().t()
    torch.testing.assert_close(got.cpu().float(), expected, rtol=2**-7, atol=2**-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("shape", [(3, 5), (), (0, 2)], ids=str)
def test_opcheck(shape, device):
    checks = ["test_schema", "test_faketensor"] + ["test_autograd_registration", "test_aot_dispatch_dynamic"] * (
        device == "cpu"
    )
    source = numbers(*shape).to(device)
    top, bits = split(source)
    library.opcheck(OPS.split_float.default, (source, top, bits), test_utils=checks)
    library.opcheck(OPS.split_float.default, (source, top), test_utils=checks)
    library.opcheck(OPS.cat_float.default, (top, bits, source), test_utils=checks)


def test_compiled():
    @torch.compile(backend="aot_eager", fullgraph=True)
    def halved(top: Tensor, bits: Tensor) -> Tensor:
        value = torch.empty_like(top, dtype=torch.float32)
        torch.ops.torch_ipex.cat_float(top, bits, value)
        torch.ops.torch_ipex.split_float(value / 2, top, bits)
        return value

    source = numbers(6)
    top, bits = split(source)
    assert same(halved(top, bits), source)
    assert same(cat(top, bits), source / 2)
    torch._dynamo.reset()


TOP, BITS, SOURCE = torch.ones(2, 3).bfloat16(), torch.zeros(2, 3, dtype=torch.int16), torch.ones(2, 3)
SPARSE = SOURCE.to_sparse()
BAD: list[tuple[Callable[[], object], type[Exception], str]] = [
    (
        lambda: OPS.split_float(SOURCE.double(), TOP),
        TypeError,
        "split_float. E101 got source of Double; accepted: Float",
    ),
    (lambda: OPS.split_float(SOURCE, SOURCE), TypeError, "split_float. E101 got top of Float; accepted: BFloat16"),
    (lambda: OPS.split_float(SOURCE, TOP, TOP), TypeError, "split_float. E101 got bits of BFloat16; accepted: Short"),
    (lambda: OPS.cat_float(TOP, BITS.int(), SOURCE), TypeError, "cat_float. E101 got bits of Int"),
    (lambda: OPS.cat_float(TOP, BITS, TOP), TypeError, "cat_float. E101 got out of BFloat16; accepted: Float"),
    (lambda: OPS.cat_float(TOP.half(), BITS, SOURCE), TypeError, "cat_float. E101 got top of Half"),
    (lambda: OPS.split_float(SOURCE[:1], TOP), ValueError, r"E103 got source of \[1, 3\]; accepted: \[2, 3\], as top"),
    (lambda: OPS.split_float(SOURCE, TOP, BITS.t()), ValueError, r"E103 got bits of \[3, 2\]"),
    (lambda: OPS.cat_float(TOP, BITS, SOURCE[..., None]), ValueError, r"E103 got out of \[2, 3, 1\]"),
    (lambda: OPS.split_float(SPARSE, TOP), NotImplementedError, "split_float.*SparseCPU"),
    (lambda: OPS.split_float(SOURCE.to("ipex"), TOP), RuntimeError, "E102 got tensors on ipex:0 and cpu"),
    (lambda: OPS.split_float(SOURCE, TOP, BITS.to("ipex")), RuntimeError, "E102 got tensors on cpu and ipex:0"),
    (lambda: OPS.cat_float(TOP, BITS.to("ipex"), SOURCE), RuntimeError, "E102"),
    (lambda: OPS.split_float(SOURCE.clone().requires_grad_(), TOP), ValueError, "E103 got a tensor that requires grad"),
    (
        lambda: OPS.cat_float(TOP.clone().requires_grad_(), BITS, SOURCE),
        ValueError,
        "E103 got a tensor that requires grad",
    ),
    (
        lambda: OPS.split_float(SOURCE, TOP.view(torch.int16).view(torch.bfloat16), TOP.view(torch.int16)),
        RuntimeError,
        "memory location",
    ),
    (lambda: OPS.split_float(SOURCE, TOP[:1].expand(2, 3)), RuntimeError, "single memory location"),
    (lambda: OPS.split_float(SOURCE * 2, TOP, BITS[:1].expand(2, 3)), RuntimeError, "single memory location"),
    (lambda: OPS.cat_float(TOP, BITS, SOURCE[:1].expand(2, 3)), RuntimeError, "single memory location"),
]


@pytest.mark.parametrize(("call", "kind", "text"), BAD, ids=[text for *_, text in BAD])
def test_errors_change_nothing(call, kind, text):
    with pytest.raises(kind, match=text):
        call()
    assert (TOP == 1).all() and (BITS == 0).all() and (SOURCE == 1).all()


@pytest.mark.parametrize("device", DEVICES)
def test_a_source_in_the_memory_of_the_result(device):
    memory = torch.ones(4, device=device)
    top = memory.view(torch.bfloat16)[:4]
    with pytest.raises(RuntimeError, match="memory location"):
        OPS.split_float(memory, top)
    with pytest.raises(RuntimeError, match="memory location"):
        OPS.cat_float(top, torch.zeros(4, dtype=torch.int16, device=device), memory)


def test_fake_kernels_check():
    with pytest.raises(ValueError, match="E103 got bits"):
        OPS.split_float(SOURCE.to("meta"), TOP.to("meta"), BITS[:1].to("meta"))
    with pytest.raises(TypeError, match="E101 got out"):
        OPS.cat_float(TOP.to("meta"), BITS.to("meta"), SOURCE.double().to("meta"))
