"""Weights that were loaded straight to ipex can give their plain bytes back; saved weights stay packed."""

from __future__ import annotations

import pytest

from device.programs import run_program
from torch_patches.without import run_without

LOAD = """
import io, torch, torch_ipex_device as ipex
model = torch.nn.Linear(512, 256)
file = io.BytesIO()
torch.save(model.state_dict(), file)
file.seek(0)
loaded = torch.nn.Linear(512, 256, device="meta")
loaded.load_state_dict(torch.load(file, map_location="ipex"), assign=True)
x = torch.randn(128, 512)
with torch.no_grad():
    y = loaded(x.to("ipex"))
    torch.testing.assert_close(y.cpu(), model(x), rtol=1e-4, atol=1e-4)
form = ipex._C.physical_form(loaded.weight)
assert form["packed"]
assert torch.equal(loaded.weight.cpu(), model.weight)
print(form["plain"])
"""


def test_plain_bytes_stay_without_the_patch_and_go_with_it() -> None:
    assert run_without("serialization", LOAD) == "True"
    assert run_program(LOAD) == "False"


SAVE = """
import io, pickle, torch, torch_ipex_device as ipex
model = torch.nn.Linear(512, 512).to("ipex")
x = torch.randn(8, 512, device="ipex")
with torch.no_grad():
    model(x).cpu()
assert torch.ipex.physical_form(model.weight).packed
WAY
print(bool(torch.ipex.physical_form(model.weight).packed))
"""


@pytest.mark.parametrize("way", ["torch.save(model.state_dict(), io.BytesIO())", "pickle.dumps(model)"])
def test_saving_drops_packed_copies_without_the_patch_and_keeps_them_with_it(way: str) -> None:
    assert run_without("serialization", SAVE.replace("WAY", way)) == "False"
    assert run_program(SAVE.replace("WAY", way)) == "True"
