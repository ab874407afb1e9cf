"""`ipex.nn.modules`: modules of the archived extension that PyTorch does not have, for CPU and ipex tensors."""

from .frozen_batch_norm import FrozenBatchNorm2d
from .linear_eltwise import IPEXLinearEltwise, IpexMLPLinear, LinearRelu
from .merged_embeddingbag import EmbeddingSpec, MergedEmbeddingBag, MergedEmbeddingBagWithCat
from .merged_embeddingbag_optimizers import MergedEmbeddingBagWithAdaGrad, MergedEmbeddingBagWithSGD
from .roi_align import ROIAlign

__all__ = [
    "EmbeddingSpec",
    "FrozenBatchNorm2d",
    "IPEXLinearEltwise",
    "IpexMLPLinear",
    "LinearRelu",
    "MergedEmbeddingBag",
    "MergedEmbeddingBagWithAdaGrad",
    "MergedEmbeddingBagWithCat",
    "MergedEmbeddingBagWithSGD",
    "ROIAlign",
]
