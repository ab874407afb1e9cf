"""The table of error codes: selects the exception class in Python and C++ and generates docs/errors.md.

Every error that a user can cause reads `[operator] CODE what was got; what is accepted or the next step`.
CMake generates the C++ half of this table from this file (tools/gen_errors.py), so a code exists once.
Codes are never reused: E1xx arguments, E2xx device and memory, E3xx libraries and oneDNN, E4xx INT8 recipe,
E5xx front end and configuration, E6xx launcher.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCode:
    """One row of the table.

    Attributes:
        code: `E` and three digits.
        python_class: name of the exception class in `builtins`, or `torch.OutOfMemoryError`.
        title: what the code stands for, in a few words.
        cause: what leads to it.
        remedy: what the user can do.
    """

    code: str
    python_class: str
    title: str
    cause: str
    remedy: str


# fmt: off
ERRORS: dict[str, ErrorCode] = {
    row.code: row
    for row in (
        ErrorCode("E101", "TypeError", "dtype not supported", "An argument has a dtype that the operation does not accept.", "Convert it with `.to(dtype)` to one of the dtypes that the message lists."),
        ErrorCode("E102", "RuntimeError", "tensors on different devices", "Operands live on `ipex` and on another device. Only 0-dimensional CPU tensors, index tensors, lengths and copies may be mixed.", "Move the operand that the message names with `.to(\"ipex\")`."),
        ErrorCode("E103", "ValueError", "argument value out of range", "An argument has a value that the operation does not accept.", "Use a value that the message lists."),
        ErrorCode("E104", "NotImplementedError", "layout or property not supported on ipex", "A tensor was requested, or produced by a CPU kernel, in a layout that the device cannot hold (for example `torch._mkldnn`).", "Use a strided, sparse, quantized or nested tensor, or do this step on CPU tensors."),
        ErrorCode("E105", "RuntimeError", "CPU fallback forbidden", "The operator has no native kernel for these arguments and the fallback policy is `error`.", "Set the policy to `silent` or `warn` (`torch.ipex.set_fallback_policy` or `IPEX_FALLBACK`)."),
        ErrorCode("E106", "NotImplementedError", "operator has no CPU kernel", "The operator has neither a native kernel nor a CPU kernel to fall back to.", "Register a CPU kernel for it (`torch.library.impl(name, \"CPU\")`), or call it on a device that has one."),
        ErrorCode("E201", "torch.OutOfMemoryError", "out of memory", "The system could not provide the memory that an allocation, or the machine code of a primitive, asked for.", "Use smaller batches, free tensors, or check the size in the message for a mistake."),
        ErrorCode("E202", "RuntimeError", "invalid device index", "An index other than 0 was used; there is one `ipex` device.", "Use `ipex` or `ipex:0`."),
        ErrorCode("E203", "RuntimeError", "pinned memory misuse", "Pinned memory was requested for a tensor that lives on `ipex`; only CPU tensors can be pinned.", "Drop `pin_memory=True`, or pin the CPU tensor before the copy."),
        ErrorCode("E204", "RuntimeError", "storage cannot be shared between processes", "The memory of a storage cannot be moved to shared memory: it is not plain memory of its own, or it is not on `ipex`.", "Clone the tensor and share the clone."),
        ErrorCode("E205", "ValueError", "storage out of bounds", "A view of a storage was requested that reaches beyond the storage, or has negative sizes, strides or offset.", "Check sizes, strides and offset against `untyped_storage().nbytes()`; a corrupted checkpoint also leads here."),
        ErrorCode("E301", "RuntimeError", "oneDNN failed", "oneDNN reported an error while a primitive was created or executed.", "Run again with `ONEDNN_VERBOSE=2` and report what it prints."),
        ErrorCode("E302", "ImportError", "libdnnl missing or too old", "The oneDNN run-time library was not found, cannot be loaded, or is older than 3.2.", "`pip install onednn-cpu-gomp==2023.2.0`, or set `IPEX_DNNL_LIBRARY` to the path of libdnnl.so.3."),
        ErrorCode("E303", "ImportError", "torch missing or mismatched", "PyTorch is not installed, or its version is not the one that the extension was built for.", "`pip install torch==2.13.0`, or build the extension again for the installed version."),
        ErrorCode("E304", "ImportError", "extension not built", "The compiled part of the package is missing or cannot be loaded.", "Install the package with `pip install .` from its source, or install its wheel."),
        ErrorCode("E401", "ValueError", "recipe not valid", "The file of an INT8 recipe is no JSON list of entries, or a field of an entry is missing, of another type or out of range.", "Set the field that the message names to what it accepts (docs/int8_recipe.md), or calibrate again."),
        ErrorCode("E402", "RuntimeError", "program does not match the recipe", "The operators that ran are not those of the INT8 recipe: their number, a name, a module or the shape of a weight differs. The model changed, took another branch, or the recipe was edited.", "Use the recipe of this model, or calibrate this model again."),
        ErrorCode("E403", "RuntimeError", "no calibration data", "INT8 inference was asked for, or a recipe was to be saved, but nothing has been calibrated.", "Run calibration, or load a recipe (`AmpConf(torch.int8, \"recipe.json\")`)."),
        ErrorCode("E501", "ValueError", "bad configuration value", "An environment variable or a setting has a value that is not accepted.", "Use one of the values that the message lists."),
        ErrorCode("E502", "NotImplementedError", "feature of a later version", "A function of the archived extension was called whose feature this version does not have yet.", "Use what the message names instead, if anything, or a later version."),
        ErrorCode("E503", "ValueError", "model and optimizer do not fit", "`optimize` was given a model in training mode without an optimizer, one in evaluation mode with an optimizer, or an optimizer that trains none of the model's parameters.", "For inference call `model.eval()` and give no optimizer. For training call `model.train()` and give the optimizer of that model."),
    )
}
# fmt: on


def error(code: str, where: str, message: str) -> Exception:
    """Builds the exception that belongs to an error code; the caller raises it.

    Args:
        code: a key of `ERRORS`.
        where: the operator, function or variable that the error is about.
        message: what was got; what is accepted or the next step.

    Returns:
        An exception of the class that the table names, with the text `[where] code message`.

    Raises:
        KeyError: the code is not in the table (a bug in this package).

    Example:
        >>> str(error("E501", "IPEX_FALLBACK", "got 'x'; accepted: silent, warn, error"))
        "[IPEX_FALLBACK] E501 got 'x'; accepted: silent, warn, error"
    """
    return _exception_class(ERRORS[code].python_class)(f"[{where}] {code} {message}")


def _exception_class(name: str) -> type[Exception]:
    if name == "torch.OutOfMemoryError":
        import torch

        return torch.OutOfMemoryError
    import builtins

    found = getattr(builtins, name)
    assert issubclass(found, Exception)
    return found
