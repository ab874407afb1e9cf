"""The report of a model in int8: figures of layers against what the program itself returns, reasons, latencies, files."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torch_ipex_device as ipex
from torch_ipex_device.device.explain import OperatorCall
from torch_ipex_device.int8 import Latency
from torch_ipex_device.int8.report_latency import latencies, shortest

from .models import MODELS, Alive, Encoder, Plain, Residual, calibrated, float32, image, infer, made, same_bits, sqnr

NEAR = 1e-3  # dB: a report computes operators one by one, the program some of them as one primitive


def change(conf: ipex.AmpConf, **changes: dict[int, Any]) -> None:
    """Changes fields of entries: `quantized={3: False}`."""
    entries = [dataclasses.replace(entry) for entry in conf.calibration.entries()]
    for field, values in changes.items():
        for number, value in values.items():
            setattr(entries[number], field, value)
    conf.calibration.replace(entries)


@pytest.fixture(scope="module")
def plain() -> tuple[nn.Module, ipex.AmpConf]:
    model = made(Plain)
    return model, calibrated(model, [image(seed) for seed in range(2)])


@pytest.fixture(scope="module")
def report(plain: tuple[nn.Module, ipex.AmpConf]) -> ipex.int8.Report:
    return ipex.int8.report(*plain, [image(9)], repeats=1)


@pytest.mark.parametrize("name", MODELS)
def test_every_entry_has_figures_and_the_result_those_of_the_program(name: str) -> None:
    model = made(MODELS[name])
    conf = calibrated(model, [image(seed) for seed in range(2)])
    found = ipex.int8.report(model, conf, [image(9)], repeats=1)
    assert found.sqnr_db == pytest.approx(sqnr(infer(conf, model, image(9)), float32(model, image(9))), abs=0.1)
    assert [layer.id for layer in found.layers] == list(range(len(conf.calibration.entries())))
    for layer, entry in zip(found.layers, conf.calibration.entries(), strict=True):
        assert (layer.name, layer.op, layer.module) == (entry.name, entry.op, entry.module)
        assert layer.sqnr_db is not None and layer.sqnr_db > 15
        assert (layer.own_sqnr_db is not None) == layer.quantized == (layer.reason == "")
        assert len(layer.input_saturation) >= 1 and layer.output_saturation is not None
        for latency in (layer.float32, layer.bfloat16, layer.int8):
            assert latency is not None and latency.milliseconds > 0
    assert min(found.float32, found.bfloat16, found.int8) > 0


def test_layers_have_the_noise_of_the_values_that_the_program_returns() -> None:
    model = made(Alive)
    conf = calibrated(model, [image(seed) for seed in range(2)])
    with torch.no_grad():
        expected = model(image(9))
        with ipex.AutoMixPrecision(conf):
            actual = model(image(9))
    returned = {0: 0, 1: 1, 3: 2, 4: 3, 5: 4}  # of an entry: place in the list
    found = ipex.int8.report(model, conf, [image(9)], repeats=1)
    for entry, place in returned.items():
        assert found.layers[entry].sqnr_db == pytest.approx(sqnr(actual[place].cpu(), expected[place].cpu()), abs=NEAR)
    assert found.layers[1].sqnr_db < found.layers[0].sqnr_db  # what a convolution has read is rounded


class BeforeItself(nn.Module):
    """Two layers; what the first one gives is changed in place, or not."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.first, self.second, self.in_place = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), in_place

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(x), inplace=self.in_place))


def test_operator_in_place_is_reported_as_the_same_one_out_of_place() -> None:
    reports = []
    for in_place in (False, True):
        model = made(lambda in_place=in_place: BeforeItself(in_place))
        reports.append(ipex.int8.report(model, calibrated(model, [image()]), [image(9)], repeats=1))
    for one, other in zip(reports[0].layers, reports[1].layers, strict=True):
        assert one.sqnr_db == pytest.approx(other.sqnr_db, abs=NEAR)
        assert one.own_sqnr_db == pytest.approx(other.own_sqnr_db, abs=NEAR)
        assert (one.input_saturation, one.output_saturation) == (other.input_saturation, other.output_saturation)


def test_noise_of_a_layer_alone_is_not_that_of_the_layers_before_it() -> None:
    model = made(Residual)
    conf = calibrated(model, [image()])
    before = ipex.int8.report(model, conf, [image(9)], repeats=1)
    change(
        conf,
        weight_granularity={0: "per_tensor"},
        outputs_scale={1: [conf.calibration.entries()[1].outputs_scale[0] / 8]},
    )
    after = ipex.int8.report(model, conf, [image(9)], repeats=1)
    assert after.layers[0].own_sqnr_db < before.layers[0].own_sqnr_db
    assert after.layers[2].own_sqnr_db < before.layers[2].own_sqnr_db - 6  # it reads the rough scale
    assert after.layers[5].own_sqnr_db == before.layers[5].own_sqnr_db
    assert after.layers[5].sqnr_db < before.layers[5].sqnr_db


def test_operators_that_join_a_convolution_add_no_noise(report: ipex.int8.Report) -> None:
    own = {layer.name: layer.own_sqnr_db for layer in report.layers}
    assert own["BatchNorm"] == own["Relu"] == math.inf
    assert all(0 < own[name] < 80 for name in ("Convolution", "MaxPooling", "AdaptiveAvgPool2d", "Linear"))


def test_figures_of_several_inputs_are_those_of_all_their_values(plain: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = plain
    inputs = [image(7), image(8)]
    together = ipex.int8.report(model, conf, [torch.cat(inputs)], repeats=1)
    apart = ipex.int8.report(model, conf, inputs, repeats=1)
    assert (together.inputs, apart.inputs) == (1, 2)
    assert apart.sqnr_db == pytest.approx(together.sqnr_db, abs=NEAR)
    for one, other in zip(apart.layers, together.layers, strict=True):
        assert one.sqnr_db == pytest.approx(other.sqnr_db, abs=NEAR)
        assert one.output_saturation == pytest.approx(other.output_saturation)


def test_saturation_is_the_share_of_values_beyond_the_range() -> None:
    model = nn.Linear(8, 64, bias=False).eval().to("ipex")
    x = torch.linspace(-1, 1, 800).view(100, 8)
    conf = calibrated(model, [x.to("ipex")])
    change(conf, inputs_scale={0: [127 / 0.5]}, outputs_scale={0: [127 / 0.25]})
    found = ipex.int8.report(model, conf, [x], repeats=1).layers[0]
    assert found.input_saturation == (pytest.approx(float((x.abs() > 0.502).double().mean()), abs=0.005),)
    with torch.no_grad():
        steps = (model(x.to("ipex")).cpu() * (127 / 0.25)).round()
    assert found.output_saturation == pytest.approx(float(((steps > 127) | (steps < -128)).double().mean()))
    change(conf, inputs_uint8_used={0: [True]})
    assert ipex.int8.report(model, conf, [x], repeats=1).layers[0].input_saturation[0] > 0.49  # negative ones become 0


def test_report_changes_neither_results_nor_recipe_nor_inputs() -> None:
    model = made(Residual)
    conf = calibrated(model, [image()])
    entries, before, x = (
        [dataclasses.replace(entry) for entry in conf.calibration.entries()],
        infer(conf, model, image(9)),
        image(9),
    )
    ipex.int8.report(model, conf, [x], repeats=1)
    assert conf.calibration.entries() == entries
    assert same_bits(infer(conf, model, image(9)), before)
    assert same_bits(x, image(9))


def test_model_may_write_its_inputs() -> None:
    model = made(lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 8, 3)))
    x = image()
    conf = calibrated(model, [x.clone()])
    found = ipex.int8.report(model, conf, [x], repeats=1)
    assert same_bits(x, image())
    assert found.layers[1].input_saturation == (0.0,)


class Called(nn.Module):
    """Takes its inputs in every way."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 4)

    def forward(self, x: Tensor, *, shift: dict[str, Tensor] | None = None) -> dict[str, Any]:
        return {"first": self.out(x) if shift is None else self.out(x) - shift["by"], "count": 3}


@pytest.mark.parametrize("device", ["cpu", "ipex"])
def test_inputs_are_tensors_tuples_or_dicts_on_any_device(device: str) -> None:
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).to(device)
    model = made(Called)
    conf = calibrated(model, [x.to("ipex")])
    inputs = [x, (x,), [x], {"x": x, "shift": {"by": torch.zeros(4, device=device)}}]
    found = [ipex.int8.report(model, conf, [item], repeats=1).layers[0].sqnr_db for item in inputs]
    assert found[0] is not None and found == [found[0]] * 4
    assert ipex.int8.report(model, conf, (item for item in inputs), repeats=1).inputs == 4


def test_block_of_a_transformer_is_reported() -> None:
    model = made(Encoder)
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0))
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        conf = calibrated(model, [x.to("ipex")])
        found = ipex.int8.report(model, conf, [x], repeats=1)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert all(layer.sqnr_db is not None and layer.sqnr_db > 20 for layer in found.layers)
    assert {layer.name for layer in found.layers if layer.quantized} >= {"Linear"}


def test_recipe_of_the_archived_tool_is_reported() -> None:
    model = made(lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)))
    conf = calibrated(model, [image()])
    first, relu, second = (dataclasses.replace(entry, version=None) for entry in conf.calibration.entries())
    same = ipex.int8.report(model, conf, [image(9)], repeats=1)
    compound = dataclasses.replace(
        first, name="Convolution_Relu", outputs_scale=relu.outputs_scale, outputs_uint8_used=[True]
    )
    conf.calibration.replace([compound, dataclasses.replace(second, id=1)])
    found = ipex.int8.report(model, conf, [image(9)], repeats=1)
    assert [layer.name for layer in found.layers] == ["Convolution_Relu", "Convolution"]
    assert found.layers[0].sqnr_db == pytest.approx(same.layers[1].sqnr_db, abs=NEAR)
    assert found.layers[1].sqnr_db == pytest.approx(same.layers[2].sqnr_db, abs=NEAR)
    assert found.layers[0].output_saturation == same.layers[1].output_saturation


def test_reasons_say_why_an_operator_is_in_float32(plain: tuple[nn.Module, ipex.AmpConf]) -> None:
    model = made(MODELS["Cat"])
    conf = calibrated(model, [image()])
    cat = next(layer for layer in ipex.int8.report(model, conf, [image()], repeats=1).layers if layer.name == "Cat")
    assert not cat.quantized and cat.reason == "it reads what is not computed in int8"
    change(conf, quantized={0: False}, extras={number: {} for number in range(10)})
    layers = ipex.int8.report(model, conf, [image()], repeats=1).layers
    assert layers[0].reason == "the recipe says so"
    assert next(layer for layer in layers if layer.name == "Cat").reason == "it reads what is not computed in int8"


def test_layer_without_an_int8_kernel_says_so() -> None:
    model = made(Plain)
    conf = calibrated(model, [image()])
    with torch.no_grad():
        model.conv.weight[0, 0, 0, 0] = math.inf
    layer = ipex.int8.report(model, conf, [image()], repeats=1).layers[0]
    assert layer.quantized and layer.reason == "no int8 kernel for it, or weights that are not finite"


def test_what_did_not_run_has_no_figures(plain: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = made(Plain), ipex.AmpConf(torch.int8)
    given = plain[1].calibration.entries()
    conf.calibration.replace([*given, dataclasses.replace(given[-1], id=len(given), module="another")])
    layer = ipex.int8.report(model, conf, [image()], repeats=1).layers[-1]
    assert (layer.sqnr_db, layer.own_sqnr_db, layer.output_saturation, layer.int8) == (None, None, None, None)
    assert layer.reason == "the model did not run it, or as a part of another operator"


def test_figures_do_not_depend_on_what_is_on_outside(
    plain: tuple[nn.Module, ipex.AmpConf], report: ipex.int8.Report
) -> None:
    model, conf = plain
    for outer in (ipex.AmpConf(torch.bfloat16), conf):
        with ipex.AutoMixPrecision(outer), torch.inference_mode():
            found = ipex.int8.report(model, conf, [image(9)], repeats=1)
        assert [layer.sqnr_db for layer in found.layers] == [layer.sqnr_db for layer in report.layers]
    assert ipex.get_auto_mix_precision() is None


# Latencies.


def test_operators_of_a_primitive_name_the_one_whose_time_they_share(report: ipex.int8.Report) -> None:
    for precision in ("float32", "bfloat16", "int8"):
        inside = {layer.name: getattr(layer, precision).inside for layer in report.layers}
        assert inside["Convolution"] is inside["Linear"] is inside["MaxPooling"] is None
        assert inside["BatchNorm"] == inside["Relu"] == 0


def test_result_that_is_still_open_is_measured_too() -> None:
    model = made(MODELS["Shared"])
    found = ipex.int8.report(model, calibrated(model, [image()]), [image()], repeats=1)
    assert {layer.int8.inside for layer in found.layers if layer.name == "Convolution"} == {None}
    assert next(layer for layer in found.layers if layer.name == "Add").int8.inside is not None


def explained(*calls: tuple[str, str, str, int, int]) -> Any:
    """A recording: operator, path, arguments, start and duration of each call."""
    rows = [SimpleNamespace(operator=call[0], path=call[1], arguments=call[2]) for call in calls]
    thread = threading.get_native_id()
    spans = [OperatorCall(row, thread, call[3], call[4]) for row, call in enumerate(calls)]
    return SimpleNamespace(rows=rows, calls=sorted(spans, key=lambda span: span.start + span.duration))


OPERATORS = [("aten::convolution", 0), ("aten::relu", 1), ("aten::view", None), ("aten::convolution", 2)]


def test_time_of_a_primitive_belongs_to_the_operator_that_opened_it() -> None:
    recording = explained(
        ("aten::convolution", "open", "a", 0, 1_000_000),
        ("aten::relu", "open", "", 2_000_000, 500_000),
        ("aten::convolution", "open", "b", 3_000_000, 9_000_000),  # reads, and so closes, the first
        ("convolution+relu", "native", "a", 4_000_000, 7_000_000),
        ("convolution", "native", "b", 20_000_000, 3_000_000),
    )
    found = latencies(recording, OPERATORS, {0: (-1,), 1: (0,), 2: (1,)})
    assert found == {0: Latency(8.0, None), 1: Latency(0.5, 0), 2: Latency(5.0, None)}


def test_primitive_that_runs_in_two_pieces_is_added_up() -> None:
    recording = explained(
        ("aten::convolution", "open", "a", 0, 1_000_000),
        ("aten::relu", "open", "", 2_000_000, 500_000),
        ("convolution", "native", "a", 4_000_000, 7_000_000),
        ("relu", "native", "a", 12_000_000, 2_000_000),
    )
    assert latencies(recording, OPERATORS, {0: (-1,), 1: (0,)}) == {0: Latency(10.0, None), 1: Latency(0.5, 0)}


def test_equal_primitives_belong_to_their_operators_in_order() -> None:
    recording = explained(
        ("aten::convolution", "open", "a", 0, 1),
        ("aten::relu", "native", "", 5, 1),
        ("aten::convolution", "open", "a", 10, 1),
        ("convolution", "native", "a", 20, 2_000_000),
        ("convolution", "native", "a", 3_000_000, 4_000_000),
    )
    found = latencies(recording, OPERATORS, {0: (-1,), 1: (0,), 2: (1,)})
    assert [round(found[entry].milliseconds, 3) for entry in range(3)] == [2.0, 0.0, 4.0]


def test_calls_beside_those_of_the_recipe_do_not_shift_it() -> None:
    recording = explained(
        ("aten::relu", "native", "", 0, 7_000_000),  # of something else
        ("aten::convolution", "native", "a", 10_000_000, 1_000_000),
        ("aten::relu", "native", "", 12_000_000, 2_000_000),
        ("aten::view", "native", "", 15_000_000, 9_000_000),
        ("aten::convolution", "native", "a", 30_000_000, 3_000_000),
    )
    found = latencies(recording, OPERATORS, {})
    assert [found[entry].milliseconds for entry in range(3)] == [1.0, 2.0, 3.0]


def test_operator_that_is_not_in_the_recording_has_no_latency() -> None:
    recording = explained(("aten::convolution", "native", "a", 0, 1_000_000))
    assert latencies(recording, OPERATORS[:2], {}) == {0: Latency(1.0, None)}


def test_least_time_counts() -> None:
    runs = [{0: Latency(2.0, None), 1: Latency(1.0, 0)}, {0: Latency(1.5, None)}]
    assert shortest(runs) == {0: Latency(1.5, None), 1: Latency(1.0, 0)}


# Files and pictures.


def test_table_has_a_line_for_each_entry(report: ipex.int8.Report) -> None:
    header, *lines = report.table().splitlines()
    assert header.split()[:4] == ["id", "name", "module", "int8"]
    assert [line.split()[:2] for line in lines[:-2]] == [[str(layer.id), layer.name] for layer in report.layers]
    assert "in 0" in lines[1] and "(outermost)" in lines[2]
    assert lines[-2].startswith("6 of 6 entries are to compute in int8; SQNR of the result ")
    assert " ms in float32, " in lines[-1]


def test_json_has_all_fields_and_no_infinity(report: ipex.int8.Report, tmp_path: Path) -> None:
    report.to_json(tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert json.loads(report.json()) == read
    assert set(read) == {field.name for field in dataclasses.fields(ipex.int8.Report)}
    assert set(read["layers"][0]) == {field.name for field in dataclasses.fields(ipex.int8.Layer)}
    assert read["layers"][0]["sqnr_db"] == report.layers[0].sqnr_db
    assert read["layers"][1]["own_sqnr_db"] is None and report.layers[1].own_sqnr_db == math.inf


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_picture_is_drawn(report: ipex.int8.Report, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed; it is in the extra `int8`")
    report.picture(tmp_path / f"report.{ending}")
    assert (tmp_path / f"report.{ending}").stat().st_size > 1000


def test_picture_without_matplotlib_says_how_to_install_it(
    report: ipex.int8.Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"matplotlib is not installed; run: pip install .*torch-ipex-device\[int8\]"):
        report.picture(tmp_path / "report.png")


def test_picture_of_another_format_is_refused(report: ipex.int8.Report) -> None:
    with pytest.raises(ValueError, match=r"E103 got report.txt; accepted: a file that ends in .png, .svg, .pdf"):
        report.picture("report.txt")
    with pytest.raises(TypeError, match=r"E101 got int as path; accepted: a path"):
        report.picture(3)


# Bad input.


def test_wrong_arguments_are_refused(plain: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = plain
    for arguments, words in (
        ((model.forward, conf, [image()]), "E101 got method as model; accepted: torch.nn.Module"),
        ((model, "recipe.json", [image()]), "E101 got str as conf; accepted: ipex.AmpConf"),
        ((model, conf, image()), "E101 got Tensor as data; accepted: an iterable of inputs, each a tensor, "),
        ((model, conf, {"x": image()}), "E101 got dict as data; accepted: an iterable"),
        ((model, conf, 3), "E101 got int as data; accepted: an iterable"),
        ((model, conf, ["image"]), "E101 got str as an input; accepted: a tensor, a tuple of arguments or a dict"),
        ((model, conf, [{1: image()}]), r"E101 got a dict with the keys \[1\]; accepted: names of arguments"),
    ):
        with pytest.raises(TypeError, match=rf"\[int8.report\] {words}"):
            ipex.int8.report(*arguments)
    with pytest.raises(TypeError, match="E101 got float as repeats; accepted: int"):
        ipex.int8.report(model, conf, [image()], repeats=2.0)


def test_arguments_out_of_range_are_refused(plain: tuple[nn.Module, ipex.AmpConf]) -> None:
    model, conf = plain
    for arguments, words in (
        ((Plain().eval(), conf, [image()]), "E103 got conv.weight on cpu; accepted: a model on ipex"),
        ((made(Plain).train(), conf, [image()]), "E103 got the model in training mode; accepted: evaluation mode"),
        ((model, ipex.AmpConf(torch.bfloat16), [image()]), "E103 got a conf of torch.bfloat16"),
        ((model, conf, []), "E103 got no data; accepted: at least one input"),
    ):
        with pytest.raises(ValueError, match=words):
            ipex.int8.report(*arguments)
    with pytest.raises(ValueError, match="E103 got repeats=0; accepted: 1 or more"):
        ipex.int8.report(model, conf, [image()], repeats=0)
    with pytest.raises(RuntimeError, match=r"\[int8.report\] E403 got a conf without entries"):
        ipex.int8.report(model, ipex.AmpConf(torch.int8), [image()])


def test_other_model_is_refused_and_leaves_nothing_switched_on(plain: tuple[nn.Module, ipex.AmpConf]) -> None:
    with pytest.raises(RuntimeError, match="E402 entry 0 of the recipe is Convolution"):
        ipex.int8.report(made(lambda: nn.Linear(12, 4)), plain[1], [image()])
    with pytest.raises(RuntimeError, match=r"\[int8.report\] E402 got a model that ran none of the 6 entries"):
        ipex.int8.report(made(lambda: nn.Softmax(-1)), plain[1], [image()])
    assert ipex.get_auto_mix_precision() is None
    assert torch.equal(float32(nn.ReLU(), image()), image().cpu().relu())


def test_recipe_of_a_file_gives_the_same_figures(plain: tuple[nn.Module, ipex.AmpConf], tmp_path: Path) -> None:
    plain[1].save(tmp_path / "recipe.json")
    loaded = ipex.AmpConf(torch.int8, tmp_path / "recipe.json")
    found = ipex.int8.report(plain[0], loaded, [image(9)], repeats=1)
    assert found.layers[0].sqnr_db == ipex.int8.report(*plain, [image(9)], repeats=1).layers[0].sqnr_db
