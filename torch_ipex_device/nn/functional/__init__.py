"""`ipex.nn.functional`: functions of the archived extension that PyTorch does not have, for CPU and ipex tensors."""

from .embeddingbag import embeddingbag
from .frozen_batch_norm import frozen_batch_norm
from .interaction import interaction
from .nms import batch_score_nms, nms
from .roi_align import roi_align

__all__ = ["batch_score_nms", "embeddingbag", "frozen_batch_norm", "interaction", "nms", "roi_align"]
