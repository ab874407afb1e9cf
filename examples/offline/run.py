"""Runs a script without a network and in seconds: stands in for downloads, and makes images, sequences and models small.

Usage: python examples/offline/run.py [--save FILE] SCRIPT [ARGUMENTS ...]
The script is not changed. docs/examples.md lists what is replaced. `--save` writes the tensors that the script's global
variables hold at its end, with `torch.save`.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import logging
import runpy
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

SEED = 0
# What a script asks for, and what it gets: 4 images of 64 pixels, 1 image of 64 pixels, 4 sequences of 32 tokens.
SIZES = {(128, 3, 224, 224): (4, 3, 64, 64), (1, 3, 224, 224): (1, 3, 64, 64), (128, 512): (4, 32)}
# Images of data sets stay as small as those of CIFAR-10 are.
RESIZED = {224: 32}
IMAGES = 64
BATCHES = {128: 32}
BLOCKS = [1, 1, 1, 1]
BERT = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 1000,
}


def refuse_connections(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: a download that nothing stands in for is an error, also where there is a network.

    Raises:
        ConnectionRefusedError: the program looks up a host.
    """
    if event == "socket.getaddrinfo":
        raise ConnectionRefusedError(f"[offline] {arguments[0]} was asked for; nothing stands in for it")


def shrunk(size: Iterable[int]) -> tuple[int, ...]:
    """Returns the size that a tensor of random inputs gets."""
    asked = tuple(size)
    return SIZES.get(asked, asked)


def replace_random_inputs() -> None:
    """Makes `torch.rand` and `torch.randint` return small batches in place of large ones."""
    rand, randint = torch.rand, torch.randint

    def small_rand(*size: Any, **options: Any) -> Tensor:
        return rand(shrunk(size[0] if len(size) == 1 and not isinstance(size[0], int) else size), **options)

    def small_randint(*bounds: Any, size: Sequence[int] | None = None, **options: Any) -> Tensor:
        numbers, sizes = (bounds, size) if size is not None else (bounds[:-1], bounds[-1])
        return randint(*numbers, size=shrunk(sizes), **options)  # type: ignore[call-overload]

    torch.rand, torch.randint = small_rand, small_randint  # type: ignore[assignment]


def random_weights(build: Callable[..., nn.Module], classes: int) -> dict[str, Any]:
    """Returns a state of a torchvision model, the same one at every call.

    Args:
        build: takes `weights` and `num_classes`.
        classes: number of classes.
    """
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        model = build(weights=None, num_classes=classes)
        norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            norm.momentum = None  # one forward is enough: statistics that fit the weights keep activations in range
        with torch.no_grad():
            model(torch.rand(4, 3, 64, 64))
        return model.state_dict()


def replace_torchvision() -> None:
    """Shallow ResNets, random weights for `weights=...`, coloured noise for CIFAR-10, smaller `Resize` and batches."""
    from torch_ipex_device.testing.torchvision_support import import_torchvision

    import_torchvision()
    from torchvision import datasets, models, transforms

    build = models.resnet._resnet

    def shallow(block: Any, layers: Sequence[int], *arguments: Any, **options: Any) -> nn.Module:
        model: nn.Module = build(block, BLOCKS, *arguments, **options)
        return model

    models.resnet._resnet = shallow

    def get_state_dict(weights: Any, *_: object, **__: object) -> dict[str, Any]:
        builder = next(each for each in models.list_models() if models.get_model_weights(each) is type(weights))
        return random_weights(models.get_model_builder(builder), len(weights.meta["categories"]))

    models.WeightsEnum.get_state_dict = get_state_dict
    datasets.CIFAR10 = SyntheticCIFAR10

    class Resize(transforms.Resize):
        def __init__(self, size: Any, *arguments: Any, **options: Any) -> None:
            sizes = size if isinstance(size, Sequence) else [size]
            super().__init__([RESIZED.get(each, each) for each in sizes], *arguments, **options)

    transforms.Resize = Resize

    class DataLoader(torch.utils.data.DataLoader[Any]):
        def __init__(self, dataset: Any, batch_size: int | None = 1, *arguments: Any, **options: Any) -> None:
            super().__init__(dataset, BATCHES.get(batch_size or 0, batch_size), *arguments, **options)

    torch.utils.data.DataLoader = DataLoader  # type: ignore[misc]


class SyntheticCIFAR10(torch.utils.data.Dataset[tuple[Any, Any]]):
    """Takes the place of `torchvision.datasets.CIFAR10`: a class is a colour, with noise.

    Args:
        root: not used.
        train: one set of pictures, or the other.
        transform: of pictures, PIL images of 32 x 32.
        target_transform: of classes.
        download: not used.
    """

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ) -> None:
        generator = torch.Generator().manual_seed(int(train))
        colours = torch.randint(0, 192, (10, 1, 1, 3), generator=torch.Generator().manual_seed(SEED))
        self.targets = torch.randint(0, 10, (IMAGES,), generator=generator).tolist()
        noise = torch.randint(0, 64, (IMAGES, 32, 32, 3), generator=generator)
        self.data = (colours[self.targets] + noise).to(torch.uint8).numpy()
        self.transform = transform
        self.target_transform = target_transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        picture, target = Image.fromarray(self.data[index]), self.targets[index]
        picture = picture if self.transform is None else self.transform(picture)
        return picture, target if self.target_transform is None else self.target_transform(target)


def replace_transformers() -> None:
    """A small random model for `BertModel.from_pretrained`."""
    from torch_ipex_device.testing.torchvision_support import import_torchvision

    import_torchvision()  # transformers imports it
    transformers: Any = importlib.import_module("transformers")

    def from_pretrained(*_: object, **__: object) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(SEED)
            model: nn.Module = transformers.BertModel(transformers.BertConfig(**BERT)).eval()
            return model

    transformers.BertModel.from_pretrained = from_pretrained


REPLACEMENTS = {"torchvision": replace_torchvision, "transformers": replace_transformers}


def imported(script: Path) -> set[str]:
    """Returns the packages that a script imports; what it does not use need not be installed."""
    nodes = list(ast.walk(ast.parse(script.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def save(variables: dict[str, Any], file: str) -> None:
    """Writes the tensors of a script's global variables.

    Args:
        variables: by name; outputs of transformers' models are taken apart.
        file: to write.
    """
    found: dict[str, Any] = {name: value for name, value in variables.items() if isinstance(value, Tensor)}
    for name, value in variables.items():
        if name == "output" and isinstance(value, dict):
            found[name] = next(iter(value.values()))
    found = {name: value.detach().cpu().clone() for name, value in found.items()}
    torch.save(found, file)


def main() -> None:
    """Runs the script that the command line names."""
    parser = argparse.ArgumentParser(description="Runs a script without a network, on small inputs.")
    parser.add_argument("--save", metavar="FILE", help="write the tensors of the script's global variables to FILE")
    parser.add_argument("script", type=Path)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()

    logging.basicConfig(format="%(levelname)s:%(name)s:%(message)s")
    sys.addaudithook(refuse_connections)
    for package in sorted(imported(options.script) & REPLACEMENTS.keys()):
        REPLACEMENTS[package]()
    replace_random_inputs()
    torch.manual_seed(SEED)
    sys.argv = [str(options.script), *options.arguments]
    sys.path[0] = str(options.script.parent)
    variables = runpy.run_path(str(options.script), run_name="__main__")
    if options.save:
        save(variables, options.save)


if __name__ == "__main__":
    main()
