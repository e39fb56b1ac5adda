"""The member network: EfficientNet-Lite0 to stride 16, a light feature pyramid, three heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.training.centre_network import PYRAMID, CentreNet, fold_backbone, fold_pyramid, freeze_early
from export.training.centre_points import BASE_EXTENT

__all__ = ["ExportedNet", "NoduleNet", "fold", "freeze_early"]


class NoduleNet(CentreNet):
    """Centre-point detector on three-channel film tensors.

    ``forward`` takes ``(batch, 3, H, W)`` with H and W multiples of 32 and gives the centre logits
    ``(batch, 1, H/4, W/4)``, the log extents ``(batch, 2, H/4, W/4)`` (height, width; input pixels
    over ``BASE_EXTENT``) and the film logit ``(batch,)``.
    """

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__(pretrained)
        self.film = nn.Linear(2 * PYRAMID, 1)

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return centre logits, log extents and film logits."""
        centre, extent, deep = self.maps(tensor)
        pooled = torch.cat([deep.mean((2, 3)), deep.amax((2, 3))], 1)
        return centre, extent, self.film(pooled)[:, 0]


class ExportedNet(nn.Module):
    """The deployed form: probabilities and input-pixel extents instead of logits."""

    def __init__(self, network: NoduleNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return centre probability, extent in input pixels and film probability."""
        centre, extent, film = self.network(tensor)
        return torch.sigmoid(centre), BASE_EXTENT * torch.exp(extent.clamp(-3, 3)), torch.sigmoid(film)


def fold(network: NoduleNet) -> NoduleNet:
    """Fold every batch normalisation into the convolution before it, in place."""
    fold_backbone(network)
    fold_pyramid(network)
    return network
