"""PyTorch's device-generic test machinery works for `ipex`: instantiation, @ops, @modules, @dtypes and filters."""

from __future__ import annotations

import unittest

import torch
from torch.testing._internal.common_device_type import (
    PrivateUse1TestBase,
    dtypes,
    instantiate_device_type_tests,
    onlyCPU,
    onlyPRIVATEUSE1,
    ops,
)
from torch.testing._internal.common_methods_invocations import unary_ufuncs
from torch.testing._internal.common_modules import module_db, modules
from torch.testing._internal.common_utils import TestCase

UNARY = [operator for operator in unary_ufuncs if operator.name in ("abs", "exp", "neg")]
LINEAR = [module for module in module_db if module.module_cls is torch.nn.Linear]


class TestGeneric(TestCase):
    """A generic class as PyTorch's own test files have them."""

    def test_device_argument(self, device: str) -> None:
        self.assertEqual(torch.device(device).type, "ipex")
        self.assertEqual(torch.ones(3, device=device).sum().item(), 3)

    @dtypes(torch.float32, torch.bfloat16)
    def test_dtypes(self, device: str, dtype: torch.dtype) -> None:
        self.assertEqual(torch.ones(3, device=device, dtype=dtype).dtype, dtype)

    @onlyPRIVATEUSE1
    def test_only_here(self, device: str) -> None:
        self.assertTrue(torch.empty(1, device=device).is_ipex)  # type: ignore[attr-defined]

    @onlyCPU
    def test_never_here(self, device: str) -> None:
        self.fail(f"ran on {device}")

    @ops(UNARY, allowed_dtypes=(torch.float32,))
    def test_operators(self, device: str, dtype: torch.dtype, op: object) -> None:
        for sample in op.sample_inputs(device, dtype):  # type: ignore[attr-defined]
            result = op(sample.input, *sample.args, **sample.kwargs)  # type: ignore[operator]
            reference = op(sample.input.cpu(), *sample.args, **sample.kwargs)  # type: ignore[operator]
            self.assertEqual(result.device.type, "ipex")
            self.assertEqual(result.cpu(), reference)

    @modules(LINEAR, allowed_dtypes=(torch.float32,))
    def test_modules(self, device: str, dtype: torch.dtype, module_info: object, training: bool) -> None:
        inputs = module_info.module_inputs_func(  # type: ignore[attr-defined]
            module_info, device=device, dtype=dtype, requires_grad=False, training=training
        )
        for case in inputs:
            args, kwargs = case.constructor_input.args, case.constructor_input.kwargs
            module = module_info.module_cls(*args, device=device, dtype=dtype, **kwargs)  # type: ignore[attr-defined]
            result = module(*case.forward_input.args, **case.forward_input.kwargs)
            self.assertEqual(result.device.type, "ipex")


instantiate_device_type_tests(TestGeneric, globals(), only_for=("ipex",))


def test_instantiation_makes_one_class_for_ipex() -> None:
    generated = globals()["TestGenericPRIVATEUSE1"]
    assert issubclass(generated, PrivateUse1TestBase)
    names = {name for name in dir(generated) if name.startswith("test_")}
    assert {"test_device_argument_ipex", "test_dtypes_ipex_bfloat16", "test_operators_exp_ipex_float32"} <= names


def test_skipped_where_the_filter_excludes_ipex() -> None:
    generated = globals()["TestGenericPRIVATEUSE1"]
    result = unittest.TestResult()
    unittest.TestSuite([generated("test_never_here_ipex")]).run(result)
    assert result.wasSuccessful() and len(result.skipped) == 1
