"""Copies of weights: when there are some, how large they are, when they go, and what else holds the weight."""

from __future__ import annotations

import copy
import gc
import io
import pickle

import pytest
import torch
from torch import nn

from .cases import OPS, numbers
from .weights import BYTES, COLUMNS, ONES, ROWS, assert_used_as_it_is, kept, use

PADDING = 64
"""Bytes beside the values of a small copy."""


@pytest.fixture(autouse=True, scope="module")
def no_garbage():
    """What other tests left must not go while these look at memory."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(autouse=True)
def nothing_is_kept_afterwards():
    before = kept()
    yield
    assert kept() <= before


def test_the_second_call_keeps_a_copy_and_a_write_drops_it():
    weight, before = nn.Parameter(numbers(ROWS, COLUMNS)), kept()
    use(weight, 1)
    assert kept() == before
    use(weight, 1)
    assert before + BYTES <= kept() <= before + BYTES + PADDING
    use(weight, 5)
    assert kept() <= before + BYTES + PADDING
    weight.data[0, 0] = 1
    assert kept() == before
    use(weight, 1)
    assert kept() == before
    use(weight, 1)
    assert kept() >= before + BYTES


def test_a_copy_goes_with_the_last_view_of_the_weight():
    weight, before = numbers(ROWS, COLUMNS), kept()
    use(weight)
    view = weight[3:4]
    del weight
    assert kept() >= before + BYTES
    del view
    assert kept() == before


def test_one_copy_per_dtype():
    weight, before = numbers(ROWS, COLUMNS), kept()
    with torch.no_grad():
        for _ in range(3):
            OPS.linear(ONES, weight)
            OPS.linear(ONES.bfloat16(), weight)
    assert before + BYTES * 3 // 2 <= kept() <= before + 3 * BYTES  # bfloat16 may be packed in float32 beside it
    weight.zero_()
    assert kept() == before


def test_views_of_a_weight_share_its_copy():
    weight, before = numbers(ROWS, COLUMNS), kept()
    for view in (weight, weight[: ROWS - 2], weight.t(), weight.view(COLUMNS, ROWS), nn.Parameter(weight)):
        use(view)
    assert kept() <= before + BYTES + PADDING


def test_small_weights_and_small_parts_get_none():
    small, large, before = numbers(8, 8), numbers(1000, COLUMNS), kept()
    use(small), use(large[:100])
    assert kept() == before
    assert_used_as_it_is(large[:100])


def test_memory_of_others_gets_none():
    array = numbers(ROWS, COLUMNS).numpy()
    shared, before = numbers(ROWS, COLUMNS).share_memory_(), kept()
    use(torch.from_numpy(array.copy())), use(shared)
    assert kept() == before


def test_biases_states_and_inputs_get_none():
    before = kept()
    x, bias, other = numbers(64, COLUMNS), numbers(2000, seed=1), numbers(64, 2000, seed=2)
    weight = numbers(2000, COLUMNS, seed=3)
    with torch.no_grad():
        for _ in range(3):
            OPS.linear(x, weight, bias, other)
            OPS.gelu(x), OPS.layer_norm(x, [COLUMNS])
            OPS.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None])
    assert kept() <= before + weight.nbytes * 1.02  # rows are padded


def kept_by_training() -> int:
    """Returns the bytes that are kept after backward."""
    weight, x = nn.Parameter(numbers(ROWS, COLUMNS)), numbers(64, COLUMNS)
    before = kept()
    for _ in range(3):
        OPS.linear(x, weight).sum().backward()
        with torch.no_grad():
            weight.sub_(0.1)  # every step writes the weight, so a copy would serve one product
    weight.grad = None
    return kept() - before


def test_training_keeps_nothing():
    assert kept_by_training() == 0


def test_thousand_weights_come_and_go():
    before = kept()
    for seed in range(1000):
        use(numbers(ROWS, COLUMNS, seed=seed))
    assert kept() == before


def duplicates() -> dict[str, object]:
    def saved(layer: nn.Module) -> nn.Module:
        file = io.BytesIO()
        torch.save(layer, file)
        file.seek(0)
        return torch.load(file, weights_only=False)

    return {
        "deepcopy": copy.deepcopy,
        "pickle": lambda layer: pickle.loads(pickle.dumps(layer)),
        "save and load": saved,
        "clone": lambda layer: nn.utils.skip_init(nn.Linear, COLUMNS, ROWS, bias=False).requires_grad_(False),
    }


@pytest.mark.parametrize("name", duplicates())
def test_duplicates_are_of_their_own(name):
    layer = nn.Linear(COLUMNS, ROWS, bias=False)
    use(layer.weight)
    duplicate = duplicates()[name](layer)
    if name == "clone":
        duplicate.load_state_dict(layer.state_dict())
    assert torch.equal(duplicate.weight, layer.weight)
    use(duplicate.weight)
    duplicate.weight.data.fill_(3)
    assert_used_as_it_is(duplicate.weight)
    layer.weight.data[0] = 1
    assert_used_as_it_is(layer.weight)
    assert_used_as_it_is(duplicate.weight)


def test_a_weight_with_a_copy_is_a_tensor_like_any_other():
    weight = numbers(ROWS, COLUMNS)
    address = weight.data_ptr()
    use(weight)
    storage = weight.untyped_storage()
    assert weight.data_ptr() == address and storage.nbytes() == BYTES and storage.resizable()
    assert not weight.is_shared() and not torch._C._is_cow_tensor(weight)
    assert torch.equal(weight, numbers(ROWS, COLUMNS))
    moved = weight.to("ipex")
    moved.zero_()
    assert torch.equal(weight, numbers(ROWS, COLUMNS))
    del moved
    there = torch.multiprocessing.reductions.reduce_tensor(weight)
    assert there and torch.equal(weight, numbers(ROWS, COLUMNS))
    assert_used_as_it_is(weight)
