"""The twelve defect classes that backends of this kind have had, each with tests named after it.

| Class | What went wrong elsewhere | Tests |
|---|---|---|
| 1 | `module.to(device)` replaces Parameters | `test_class_01_*` |
| 2 | LSTM and GRU cells are missing | `test_class_02_*`, test_rnn.py |
| 3 | the fallback loses unannotated mutation | `test_class_03_*` |
| 4 | views and in-place metadata operators lose aliasing | `test_class_04_*` |
| 5 | `out=` replaces storages or does not resize | `test_class_05_*`, tests/opinfo |
| 6 | conjugate and negative bits | `test_class_06_*` |
| 7 | gaps between composite kernels and dispatch stubs | `test_class_07_*`, tests/opinfo |
| 8 | backward: hooks, threads, fork | `test_class_08_*`, test_fork.py, tests/torch_patches/test_autograd_thread.py |
| 9 | random numbers | `test_class_09_*`, test_random.py |
| 10 | serialization and the name of the device | `test_class_10_*`, test_serialization.py, test_autoload.py |
| 11 | interoperation: DLPack, sharing, pinning, autocast | `test_class_11_*`, test_interop.py, tests/torch_patches |
| 12 | silent mixing of devices, results on the wrong device | `test_class_12_*`, test_bad_input.py |
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from sanitizers import without_thread_sanitizer
from torch_ipex_device.testing.compare import assert_same


def test_class_01_tied_weights_stay_tied() -> None:
    """Class 1: parameters keep their identity, so what shares one goes on sharing it."""
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
    model[1].weight = model[0].weight
    weight = model[0].weight
    model.to("ipex")
    assert model[0].weight is model[1].weight is weight
    assert weight.is_ipex
    model.cpu()
    assert model[0].weight is weight
    assert weight.device.type == "cpu"


def test_class_01_optimizer_made_before_the_move_trains() -> None:
    """Class 1: an optimizer that holds the parameters updates the moved ones."""
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model.to("ipex")
    before = model.weight.detach().clone()
    model(torch.ones(2, 3, device="ipex")).sum().backward()
    optimizer.step()
    torch.testing.assert_close(before - model.weight.detach(), torch.full((1, 3), 0.2, device="ipex"))


def test_class_01_data_may_change_device() -> None:
    """Class 1: `p.data = ...` of another device keeps the Parameter, with its gradient's new device."""
    parameter = nn.Parameter(torch.ones(2))
    identity = id(parameter)
    parameter.data = torch.full((3,), 2.0, device="ipex")
    assert parameter.is_ipex
    parameter.data = torch.zeros(2)
    assert parameter.device.type == "cpu"
    assert id(parameter) == identity


def test_class_01_gradients_move_along() -> None:
    """Class 1: gradients follow their parameters."""
    model = nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    model.to("ipex")
    assert model.weight.grad is not None
    assert model.weight.grad.is_ipex


def test_class_01_lazy_modules_materialise() -> None:
    """Class 1: uninitialised parameters move and take their shape on the device."""
    model = nn.LazyLinear(3).to("ipex")
    assert model(torch.ones(2, 5, device="ipex")).shape == (2, 3)
    assert model.weight.is_ipex


@pytest.mark.parametrize("swap", [False, True])
def test_class_01_both_ways_of_moving(swap: bool) -> None:
    """Class 1: PyTorch's newer way of moving, swap_tensors, works as well."""
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(swap)
    try:
        model = nn.Linear(2, 2)
        weight = model.weight
        assert model.to("ipex").weight is weight
        assert weight.is_ipex
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)


@pytest.mark.parametrize("layer", [nn.LSTM(3, 4), nn.GRU(3, 4), nn.LSTMCell(3, 4), nn.GRUCell(3, 4)], ids=str)
def test_class_02_recurrent_layers_train(layer: nn.Module) -> None:
    """Class 2: fused cells exist, forward and backward."""
    layer.to("ipex")
    x = torch.randn(2, 3, device="ipex", requires_grad=True)
    result = layer(x)
    (result[0] if isinstance(result, tuple) else result).sum().backward()
    assert x.grad is not None
    assert all(parameter.grad is not None for parameter in layer.parameters())


@pytest.mark.parametrize("affine", [True, False])
def test_class_03_batch_norm_updates_its_statistics(affine: bool) -> None:
    """Class 3: arguments that kernels mutate without saying so are mutated on the device."""
    torch.manual_seed(0)
    expected, x = nn.BatchNorm2d(3, affine=affine), torch.randn(4, 3, 5, 5)
    actual = nn.BatchNorm2d(3, affine=affine).to("ipex")
    for _ in range(3):
        assert_same(actual(x.ipex()), expected(x))
    assert_same(dict(actual.named_buffers()), dict(expected.named_buffers()))
    assert actual.running_mean is not None
    assert actual.running_mean.abs().sum() > 0


def test_class_04_views_share_storage_and_versions() -> None:
    """Class 4: views know their base, share its storage and its version counter."""
    x = torch.zeros(2, 3, device="ipex")
    for view in (x.view(6), x.t(), x[0], x[:, 1:], x.unsqueeze(0), x.expand(4, 2, 3), x.diagonal(), x.unfold(1, 2, 1)):
        assert view._base is x
        assert view.untyped_storage()._cdata == x.untyped_storage()._cdata
        version = x._version
        view.as_strided((1,), (1,)).add_(1)
        assert x._version == view._version == version + 1


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.t_(),
        lambda x: x.squeeze_(),
        lambda x: x.unsqueeze_(0),
        lambda x: x.transpose_(0, 1),
        lambda x: x.swapaxes_(0, 1),
        lambda x: x.as_strided_((2,), (3,)),
        lambda x: x.resize_(3, 2),
    ],
)
def test_class_04_metadata_changes_in_place(change: Callable[[Tensor], Tensor]) -> None:
    """Class 4: operators that change only sizes and strides return the tensor itself, on the same memory."""
    x, c = torch.arange(6.0, device="ipex").view(2, 3), torch.arange(6.0).view(2, 3)
    pointer = x.data_ptr()
    assert change(x) is x
    assert x.data_ptr() == pointer
    assert_same(x, change(c))


def test_class_04_writes_through_views_reach_the_base_and_autograd() -> None:
    """Class 4: in-place changes of a view are part of the base's history."""

    def run(device: str) -> list[Tensor]:
        x = torch.arange(6.0, device=device, requires_grad=True)
        y = x * 2
        y.view(2, 3)[0].mul_(3)
        y.sum().backward()
        assert x.grad is not None
        return [y, x.grad]

    assert_same(run("ipex"), run("cpu"))


def test_class_05_out_of_the_right_size_keeps_its_storage() -> None:
    """Class 5: an `out=` that fits is written in place, strides included."""
    a, b = torch.ones(2, 3, device="ipex"), torch.full((2, 3), 2.0, device="ipex")
    out = torch.zeros(3, 2, device="ipex").t()
    pointer, identity, strides = out.data_ptr(), out.untyped_storage()._cdata, out.stride()
    assert torch.add(a, b, out=out) is out
    assert (out.data_ptr(), out.untyped_storage()._cdata, out.stride()) == (pointer, identity, strides)
    assert out.tolist() == [[3.0] * 3] * 2


def test_class_05_empty_out_is_resized() -> None:
    """Class 5: an `out=` without elements takes the shape of the result, in every output of the operator."""
    values, indices = torch.empty(0, device="ipex"), torch.empty(0, dtype=torch.int64, device="ipex")
    torch.sort(torch.tensor([[3.0, 1.0]], device="ipex"), out=(values, indices))
    assert values.tolist() == [[1, 3]]
    assert indices.tolist() == [[1, 0]]
    out = torch.empty(0, device="ipex")
    assert torch.mm(torch.ones(2, 3, device="ipex"), torch.ones(3, 2, device="ipex"), out=out).tolist() == [[3, 3]] * 2


def test_class_05_out_of_the_wrong_dtype_is_refused() -> None:
    """Class 5: an `out=` that cannot hold the result is an error and stays as it is."""
    out = torch.zeros(2, dtype=torch.int64, device="ipex")
    with pytest.raises(RuntimeError, match="can't be cast"):
        torch.add(torch.ones(2, device="ipex"), 1, out=out)
    assert out.tolist() == [0, 0]


def test_class_06_conjugate_views_cross_devices() -> None:
    """Class 6: lazy conjugation and negation survive copies in both directions."""
    c = torch.randn(3, dtype=torch.complex64)
    for view in (c.conj(), c.conj().imag, torch._neg_view(c.real)):
        assert torch.equal(view.ipex().cpu(), view.resolve_conj().resolve_neg())
    x = c.ipex()
    assert x.conj().is_conj()
    assert x.conj().imag.is_neg()
    assert_same(
        [x.conj().resolve_conj(), x.conj() * 2, x.conj().imag + 1],
        [c.conj().resolve_conj(), c.conj() * 2, c.conj().imag + 1],
    )
    assert torch.equal(torch.empty(3, dtype=torch.complex64).copy_(x.conj()), c.conj())


def test_class_06_operators_that_recursed_or_lost_the_bit() -> None:
    """Class 6: polar, svd and lu_solve(out=) with conjugated operands."""
    torch.manual_seed(0)
    a = torch.randn(3, 3, dtype=torch.complex64)
    x = a.ipex()
    assert_same(torch.polar(x.real.abs(), x.imag), torch.polar(a.real.abs(), a.imag))
    assert_same(torch.linalg.svdvals(x.conj()), torch.linalg.svdvals(a.conj()), coefficient=4)  # an iteration
    lu, pivots = torch.linalg.lu_factor(a)
    b = torch.randn(3, 2, dtype=torch.complex64)
    out = torch.empty(0, dtype=torch.complex64, device="ipex")
    torch.linalg.lu_solve(lu.ipex(), pivots.ipex(), b.ipex(), adjoint=True, out=out)
    torch.testing.assert_close(out.cpu(), torch.linalg.lu_solve(lu, pivots, b, adjoint=True))
    x.conj_physical_()
    assert torch.equal(x.cpu(), a.conj())


GAPS: dict[str, Callable[[str], Tensor]] = {
    "convolution": lambda d: nn.functional.conv2d(torch.ones(1, 2, 4, 4, device=d), torch.ones(3, 2, 3, 3, device=d)),
    "conv_transpose": lambda d: nn.functional.conv_transpose1d(torch.ones(1, 2, 4, device=d), torch.ones(2, 3, 2, device=d)),
    "csr": lambda d: torch.eye(3, device=d).to_sparse_csr() @ torch.arange(3.0, device=d),
    "csr_members": lambda d: torch.eye(3, device=d).to_sparse_csr().col_indices(),
    "coo": lambda d: torch.sparse.mm(torch.eye(3, device=d).to_sparse(), torch.ones(3, 2, device=d)),
    "coalesce": lambda d: torch.sparse_coo_tensor(torch.zeros(1, 2, dtype=torch.long, device=d), torch.ones(2, device=d), (3,)).coalesce().to_dense(),
    "mode": lambda d: torch.mode(torch.tensor([[1, 2, 2]], device=d), 1, out=(torch.empty(0, dtype=torch.long, device=d), torch.empty(0, dtype=torch.long, device=d)))[0],
    "conj_physical_": lambda d: torch.full((2,), 1 + 2j, device=d).conj_physical_(),
    "layer_norm": lambda d: nn.functional.layer_norm(torch.arange(6.0, device=d).view(2, 3), (3,)),
    "quantized": lambda d: torch.quantize_per_tensor(torch.arange(3.0, device=d), 0.1, 0, torch.quint8).int_repr(),
    "upsample": lambda d: nn.functional.interpolate(torch.arange(4.0, device=d).view(1, 1, 2, 2), scale_factor=2, mode="bilinear"),
    "histogram": lambda d: torch.histc(torch.arange(5.0, device=d), 3),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning", "ignore:torch.quantize_per:UserWarning")
@pytest.mark.parametrize("call", GAPS.values(), ids=GAPS)
def test_class_07_operators_between_the_registries(call: Callable[[str], Tensor]) -> None:
    """Class 7: operators whose default kernels refuse a foreign device have one of their own."""
    assert_same(call("ipex"), call("cpu"))


def test_class_08_backward_uses_this_thread_and_its_settings() -> None:
    """Class 8: thread identity, thread count and autograd's flag inside a backward."""
    seen = []

    class Watch(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
            seen.append((threading.get_ident(), torch.get_num_threads()))
            return gradient

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        Watch.apply(torch.ones(2, device="ipex", requires_grad=True)).sum().backward()
    finally:
        torch.set_num_threads(threads)
    assert seen == [(threading.get_ident(), 1)]


def test_class_09_recomputation_repeats_dropout() -> None:
    """Class 9: checkpointing restores the generator, so gradients are those of the plain run."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.5), nn.Linear(64, 1)).to("ipex")
    x = torch.randn(3, 4, device="ipex")
    gradients = []
    for reentrant in (None, False, True):
        model.zero_grad()
        leaf = x.clone().requires_grad_()
        torch.manual_seed(1)
        loss = (model(leaf) if reentrant is None else checkpoint(model, leaf, use_reentrant=reentrant)).sum()
        torch.rand(5, device="ipex")  # moves the generator between forward and recomputation
        loss.backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
    for recomputed in gradients[1:]:
        assert all(torch.equal(a, b) for a, b in zip(gradients[0], recomputed, strict=True))


def test_class_09_two_runs_of_a_training_are_identical() -> None:
    """Class 9: a seed fixes initialisation, shuffling and dropout."""

    def train() -> float:
        torch.manual_seed(3)
        with torch.device("ipex"):
            model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 1))
        optimizer = torch.optim.Adam(model.parameters())
        for (batch,) in DataLoader(TensorDataset(torch.randn(32, 4)), batch_size=8, shuffle=True):
            optimizer.zero_grad()
            loss = model(batch.ipex()).square().mean()
            loss.backward()
            optimizer.step()
        return loss.item()

    assert train() == train()


def test_class_10_checkpoints_hold_plain_data_under_the_device_name() -> None:
    """Class 10: the location tag is `ipex:0` and the bytes are those of a CPU checkpoint."""
    x = torch.arange(5.0)
    files = []
    for tensor in (x, x.ipex()):
        buffer = io.BytesIO()
        torch.save(tensor, buffer)
        files.append(buffer.getvalue())
    assert b"ipex:0" in files[1]
    assert x.numpy().tobytes() in files[1]
    assert b"ipex" not in files[0]


def test_class_10_module_is_registered() -> None:
    """Class 10: `torch.ipex` is the device module, so moves and loads by name find it."""
    assert torch.get_device_module("ipex:0") is torch.ipex
    assert torch._C._get_privateuse1_backend_name() == "ipex"


def test_class_11_pinned_memory_is_pinned() -> None:
    """Class 11: pinned tensors and storages say so, stay on the CPU and reach the device."""
    x = torch.arange(5.0).pin_memory()
    assert x.is_pinned()
    assert x[1:].is_pinned()
    assert not torch.arange(5.0).is_pinned()
    assert torch.empty(3, pin_memory=True).is_pinned()
    assert torch.UntypedStorage(16).pin_memory().is_pinned()
    assert x.to("ipex", non_blocking=True).tolist() == [0, 1, 2, 3, 4]
    assert not torch.ones(2, device="ipex").is_pinned()


@without_thread_sanitizer("refuses the threads of a forked worker")
@pytest.mark.parametrize("workers", [0, 2])
def test_class_11_data_loader_pins(workers: int) -> None:
    """Class 11: DataLoader(pin_memory=True), with and without worker processes."""
    loader = DataLoader(TensorDataset(torch.arange(8.0)), batch_size=4, num_workers=workers, pin_memory=True)
    batches = [batch for (batch,) in loader]
    assert all(batch.is_pinned() for batch in batches)
    assert sum(batch.ipex().sum().item() for batch in batches) == 28


def test_class_12_results_live_where_the_operands_do() -> None:
    """Class 12: factories, multiple outputs and mixed scalars give ipex tensors; lengths stay on the CPU."""
    x = torch.randn(3, 4, device="ipex")
    for result in (
        *x.max(1),
        *torch.linalg.qr(x),
        x.new_ones(2),
        torch.zeros_like(x),
        x + torch.tensor(1.0),
        x.nonzero(),
    ):
        assert result.is_ipex
    packed = pack_sequence([x[0], x[1, :2]])
    assert packed.data.is_ipex
    assert packed.batch_sizes.device.type == "cpu"


def test_class_12_copies_between_devices_go_where_they_should() -> None:
    """Class 12: a copy into a CPU tensor leaves a CPU tensor, and the reverse."""
    x, c = torch.zeros(3, device="ipex"), torch.ones(3)
    assert x.copy_(c) is x
    assert x.is_ipex
    y = torch.zeros(3).copy_(x)
    assert y.device.type == "cpu"
    assert y.tolist() == [1, 1, 1]
    assert c.to("ipex").data_ptr() != c.data_ptr()
