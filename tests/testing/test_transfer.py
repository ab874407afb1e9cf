"""Transfer keeps strides, offsets, bits and sharing, and describe_sharing tells alias from copy."""

from __future__ import annotations

import torch

from torch_ipex_device.testing.sharing import describe_sharing
from torch_ipex_device.testing.transfer import Transfer


def test_strides_and_offset_are_kept() -> None:
    source = torch.arange(24.0).reshape(4, 6)[1::2, ::3]
    copy = Transfer("ipex")(source)
    assert (copy.stride(), copy.storage_offset()) == (source.stride(), source.storage_offset())
    assert torch.equal(copy.cpu(), source)


def test_conjugate_and_negative_bits_are_kept() -> None:
    source = torch.tensor([1 + 2j])
    conjugate, negative = Transfer("ipex")([source.conj(), source.conj().imag])
    assert conjugate.is_conj() and negative.is_neg()
    assert conjugate.item() == 1 - 2j and negative.item() == -2


def test_shared_storages_stay_shared_and_originals_are_untouched() -> None:
    base = torch.zeros(4)
    first, second, again = Transfer("ipex")([base[:2], base[1:], base[:2]])
    first.fill_(1)
    assert second[0].item() == 1 and again[0].item() == 1
    assert base.sum().item() == 0


def test_whether_anything_went_to_the_device() -> None:
    move = Transfer("ipex")
    assert move({"size": (2, 3), "dtype": torch.float32}) == {"size": (2, 3), "dtype": torch.float32}
    assert not move.placed
    assert move("cpu") == torch.device("ipex") and move.placed


def test_sharing_of_views_copies_and_arguments() -> None:
    x = torch.ones(4, device="ipex")
    lines = describe_sharing([x, x[1:], x + 1], x)
    assert lines[0] == "is argument 0; shares storage with argument 0"
    assert lines[1].startswith("view of argument 0; shares storage with argument 0")
    assert lines[2] == "fresh"
