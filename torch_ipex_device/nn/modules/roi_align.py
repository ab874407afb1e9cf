"""`ROIAlign`: `roi_align` as a module."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from torch_ipex_device.nn.functional import roi_align


class ROIAlign(nn.Module):
    """Features of regions of images, each brought to the same size; see `ipex.nn.functional.roi_align`.

    Args:
        output_size: height and width of the result in bins; one number means both.
        spatial_scale: pixels of the features per unit of the regions.
        sampling_ratio: points per bin and dimension; 0 or less means as many as there are pixels, rounded up.
        aligned: shift regions by half a pixel.

    Example:
        >>> pool = ipex.nn.ROIAlign(7, 0.25, 2)
        >>> pool(torch.ones(1, 8, 16, 16), torch.tensor([[0.0, 0, 0, 40, 40]])).shape
        torch.Size([1, 8, 7, 7])
    """

    def __init__(
        self, output_size: int | tuple[int, int], spatial_scale: float, sampling_ratio: int, aligned: bool = False
    ) -> None:
        super().__init__()
        self.output_size = output_size
        self.spatial_scale = spatial_scale
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned

    def forward(self, input: Tensor, rois: Tensor | Sequence[Tensor]) -> Tensor:
        """Returns [K, C, height, width]; errors are those of `roi_align`.

        Args:
            input: features, [N, C, H, W].
            rois: regions (image, x1, y1, x2, y2), [K, 5], or for every image a tensor of (x1, y1, x2, y2), [L, 4].
        """
        return roi_align(input, rois, self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, aligned={self.aligned}"
        )
