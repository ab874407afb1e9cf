"""Packed weights: made once, used again, dropped by every way of writing the weight, never stale."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from torch_ipex_device import _C


def packs() -> int:
    return _C.form_statistics()["packs"]


def packed(tensor: torch.Tensor) -> list[str]:
    return _C.physical_form(tensor)["packed"]


@pytest.fixture
def layer():
    """A linear layer on ipex that has packed its weight, and an input."""
    torch.manual_seed(0)
    model = torch.nn.Linear(96, 160).to("ipex")
    x = torch.randn(8, 96, device="ipex")
    with torch.no_grad():
        model(x)
    assert packed(model.weight)
    return model, x


def assert_right(model, x):
    """The layer computes with its weight as it is now."""
    with torch.no_grad():
        expected = F.linear(x.cpu().double(), model.weight.cpu().double(), model.bias.cpu().double())
        torch.testing.assert_close(model(x).cpu(), expected.float(), rtol=1e-4, atol=1e-4)


def test_packed_once_and_used_again(layer):
    model, x = layer
    before = packs()
    for _ in range(3):
        assert_right(model, x)
    assert packs() == before


def optimizer_step(**options):
    def write(model, x):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, **options)
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()

    return write


def load_state(model, x):
    state = {name: torch.randn_like(value.cpu()) for name, value in model.state_dict().items()}
    model.load_state_dict(state)


def assign_state(model, x):
    state = {name: torch.randn_like(value) for name, value in model.state_dict().items()}
    model.load_state_dict(state, assign=True)


def raw_pointer(model, x):
    import ctypes

    pointer = model.weight.data_ptr()
    ctypes.memset(pointer, 0, model.weight.nbytes // 2)


def older_raw_pointer(model, x):
    import ctypes

    pointer = model.weight.data_ptr()
    with torch.no_grad():
        model(x)
    ctypes.memset(pointer, 0, model.weight.nbytes)
    torch.ipex.mark_written(model.weight)


@torch.no_grad()
def through_alias(model, x):
    alias = torch.ipex.as_cpu(model.weight)
    model(x)
    alias.mul_(3)


WRITES = {
    "sgd for-loop": optimizer_step(foreach=False),
    "sgd foreach": optimizer_step(foreach=True),
    "sgd fused": optimizer_step(fused=True),
    "data": lambda model, x: model.weight.data.mul_(2),
    "data assignment": lambda model, x: setattr(model.weight, "data", torch.randn_like(model.weight)),
    "copy_": torch.no_grad()(lambda model, x: model.weight.copy_(torch.randn(160, 96))),
    "view": torch.no_grad()(lambda model, x: model.weight[3:50].zero_()),
    "transposed view": torch.no_grad()(lambda model, x: model.weight.t()[5].fill_(9)),
    "detach": lambda model, x: model.weight.detach().add_(1),
    "init": lambda model, x: torch.nn.init.normal_(model.weight),
    "data_ptr": raw_pointer,
    "older data_ptr and mark_written": older_raw_pointer,
    "as_cpu": through_alias,
    "load_state_dict": load_state,
    "load_state_dict assign": assign_state,
    "out": torch.no_grad()(lambda model, x: torch.mul(model.weight, 2, out=model.weight.detach())),
    "swap": lambda model, x: torch.utils.swap_tensors(
        model.weight, torch.nn.Parameter(torch.randn(160, 96, device="ipex"))
    ),
    "set_": torch.no_grad()(lambda model, x: model.weight.set_(torch.randn(160, 96, device="ipex"))),
    "resize": torch.no_grad()(
        lambda model, x: model.weight.untyped_storage().copy_(torch.randn(160, 96).untyped_storage())
    ),
    "vector_to_parameters": lambda model, x: torch.nn.utils.vector_to_parameters(
        torch.randn(160 * 96 + 160, device="ipex"), model.parameters()
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_write_is_never_missed(layer, write):
    model, x = layer
    WRITES[write](model, x)
    assert_right(model, x)
    assert_right(model, x)


def test_no_copies_are_kept_while_an_alias_lives(layer):
    model, x = layer
    alias = torch.ipex.as_cpu(model.weight)
    with torch.no_grad():
        model(x)
    assert packed(model.weight) == []
    del alias
    with torch.no_grad():
        model(x)
    assert packed(model.weight)


def test_deepcopy_has_its_own(layer):
    model, x = layer
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.weight.zero_()
    assert_right(model, x)
    assert_right(twin, x)


def test_plain_bytes_are_given_back_and_come_back():
    torch.manual_seed(0)
    source = torch.nn.Linear(1024, 1024)
    model = copy.deepcopy(source).to("ipex")
    x = torch.randn(4, 1024, device="ipex")
    before = torch.ipex.memory_allocated()
    with torch.inference_mode():
        model(x)
    assert not _C.physical_form(model.weight)["plain"]
    assert torch.ipex.memory_allocated() - before < 0.1 * model.weight.nbytes
    assert torch.equal(model.weight.detach().cpu(), source.weight)  # exactly: packing only moves numbers
    assert_right(model, x)
    assert torch.equal(torch.ipex.as_cpu(model.weight), source.weight)
    assert_right(model, x)


def test_a_raw_pointer_keeps_the_plain_bytes():
    model = torch.nn.Linear(512, 512).to("ipex")
    pointer = model.weight.data_ptr()
    with torch.inference_mode():
        model(torch.randn(4, 512, device="ipex"))
    assert packed(model.weight) and _C.physical_form(model.weight)["plain"]
    assert model.weight.data_ptr() == pointer


def test_weights_that_will_be_trained_keep_the_plain_bytes():
    model = torch.nn.Linear(512, 512).to("ipex")
    model(torch.randn(4, 512, device="ipex")).sum().backward()
    assert _C.physical_form(model.weight)["plain"]


def test_plain_bytes_that_are_read_again_and_again_stay():
    model = torch.nn.Linear(512, 512).to("ipex")
    x = torch.randn(4, 512, device="ipex")
    expected = model.weight.detach().cpu()
    with torch.inference_mode():
        for _ in range(6):
            model(x)
            assert torch.equal(model.weight.cpu(), expected)
        assert _C.physical_form(model.weight)["plain"]


def test_weights_over_a_storage_made_before_them_give_their_plain_bytes_back():
    """As those that are unpickled: their storage exists before the tensor."""
    weight = torch.randn(512, 256)
    storage = torch.UntypedStorage(weight.nbytes, device="ipex")
    storage.copy_(weight.untyped_storage())
    tensor = torch.empty(0, device="ipex").set_(storage, 0, weight.shape)
    with torch.no_grad():
        F.linear(torch.randn(128, 256, device="ipex"), tensor)
    assert packed(tensor)
    assert not _C.physical_form(tensor)["plain"]
    assert torch.equal(tensor.cpu(), weight)
