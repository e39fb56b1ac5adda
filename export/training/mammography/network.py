"""The member network: centre points, and gated attention over the deep map for what is said of the view."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.training.centre_network import PYRAMID, CentreNet, fold_backbone, fold_pyramid, freeze_early
from export.training.centre_points import BASE_EXTENT

__all__ = [
    "DENSITIES",
    "ExportedNet",
    "GatedAttention",
    "MammographyNet",
    "finished",
    "load_member",
    "started",
]

DENSITIES = 3
HIDDEN = 32


class GatedAttention(nn.Module):
    """Weighted mean of a deep map, one set of weights for each question asked of it.

    ``forward`` takes ``(batch, channels, h, w)`` and gives ``(batch, questions, channels)``.

    References
    ----------
    Ilse, Tomczak, Welling. Attention-based deep multiple instance learning. ICML 2018.
    """

    def __init__(self, channels: int, questions: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.feature = nn.Conv2d(channels, hidden, 1)
        self.gate = nn.Conv2d(channels, hidden, 1)
        self.weight = nn.Conv2d(hidden, questions, 1)

    def forward(self, deep: Tensor) -> Tensor:
        """Return one pooled vector for each question."""
        gated = torch.tanh(self.feature(deep)) * torch.sigmoid(self.gate(deep))
        attention = torch.softmax(self.weight(gated).flatten(2).float(), dim=2)
        return attention @ deep.flatten(2).float().transpose(1, 2)


class MammographyNet(CentreNet):
    """Centre-point detector on three-channel view tensors with two case heads and one of density.

    ``forward`` takes ``(batch, 3, H, W)`` with H and W multiples of 32 and gives the centre logits
    ``(batch, 1, H/4, W/4)``, the log extents ``(batch, 2, H/4, W/4)``, the logits of abnormal and
    malignant ``(batch, 2)`` and those of the density classes ``(batch, 3)``.


    Parameters
    ----------
    pretrained : bool
        Whether the backbone starts from ImageNet.
    normalised : bool
        Whether the deep map is normalised before it is pooled. From ImageNet its channels have means three
        times their spread between films, and the density head does not learn within 450 steps without it.
    """

    def __init__(self, pretrained: bool = True, *, normalised: bool = False) -> None:
        super().__init__(pretrained)
        self.normalise = nn.BatchNorm2d(PYRAMID) if normalised else nn.Identity()
        self.attention = GatedAttention(PYRAMID, 3)
        self.dropout = nn.Dropout(0.2)
        self.case = nn.ModuleList([nn.Linear(2 * PYRAMID, 1) for _ in range(2)])
        self.density = nn.Linear(PYRAMID, DENSITIES)
        with torch.no_grad():
            for head in (*self.case, self.density):
                head.weight.zero_()

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return centre logits, log extents, case logits and density logits."""
        centre, extent, deep = self.maps(tensor)
        deep = self.normalise(deep)
        pooled = self.attention(deep)
        highest = deep.amax((2, 3)).float()
        cases = [
            head(self.dropout(torch.cat([pooled[:, index], highest], 1)))
            for index, head in enumerate(self.case)
        ]
        return centre, extent, torch.cat(cases, 1), self.density(self.dropout(pooled[:, 2]))


class ExportedNet(nn.Module):
    """The deployed form: probabilities, and extents in input pixels."""

    def __init__(self, network: MammographyNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return centre, extent, abnormal, malignant and density."""
        centre, extent, cases, density = self.network(tensor)
        abnormal, malignant = torch.sigmoid(cases).unbind(1)
        spread = BASE_EXTENT * torch.exp(extent.clamp(-3, 3))
        return torch.sigmoid(centre), spread, abnormal, malignant, F.softmax(density, 1)


def _take(network: MammographyNet, state: dict[str, Tensor], parts: tuple[str, ...]) -> int:
    """Copy what fits by name and shape under these prefixes; return how many tensors did."""
    own = network.state_dict()
    fitting = {
        name: value
        for name, value in state.items()
        if name.startswith(parts) and name in own and own[name].shape == value.shape
    }
    network.load_state_dict(fitting, strict=False)
    return len(fitting)


def weights_of_onnx(path: Path) -> dict[str, Tensor]:
    """Read the weights of a packaged centre-point member, batch normalisation folded, from its ONNX file."""
    import onnx  # noqa: PLC0415
    from onnx import numpy_helper  # noqa: PLC0415

    weights = {}
    for tensor in onnx.load(path).graph.initializer:
        if tensor.name.startswith("network."):
            name = tensor.name.removeprefix("network.").removesuffix("_half")
            weights[name] = torch.from_numpy(numpy_helper.to_array(tensor).astype("float32"))
    return weights


def started(start: str, path: Path | None = None, *, normalised: bool = False) -> MammographyNet:
    """Make a network that starts from other weights, the early blocks frozen where they are good.

    Parameters
    ----------
    start : {"imagenet", "nothing", "chest-nodule", "encoder"}
        Where the weights come from. "chest-nodule" takes backbone, pyramid and map heads of an ONNX
        member; "encoder" takes the backbone of a torch state dict whose names end alike (``stem``,
        ``stem_norm``, ``blocks``), as the brain-tumour members have.
    path : Path or None
        The file of the last two.
    normalised : bool
        See :class:`MammographyNet`.

    Raises
    ------
    ValueError
        The file does not hold the weights of an EfficientNet-Lite0.
    """
    network = MammographyNet(pretrained=start == "imagenet", normalised=normalised)
    if start == "nothing":
        return network
    if start == "chest-nodule":
        if path is None:
            raise ValueError("chest-nodule: the file of an ONNX member is needed")
        fold_backbone(network)
        fold_pyramid(network)
        state = weights_of_onnx(path)
        taken = _take(network, state, ("stem", "blocks", "lateral", "context", "merge", "trunk", "extent"))
        if taken < 90:
            raise ValueError(f"{path.name}: only {taken} tensors of a centre-point network")
    elif start == "encoder":
        if path is None:
            raise ValueError("encoder: the file of a state dict is needed")
        _take_encoder(network, torch.load(path, weights_only=True), path)
        fold_backbone(network)
    else:
        fold_backbone(network)
    freeze_early(network)
    return network


def _take_encoder(network: MammographyNet, state: dict[str, Tensor], path: Path) -> None:
    """Copy stem and blocks of another network; of a stem with more inputs, the first three."""
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        for part in ("stem_norm.", "stem.", "blocks."):
            position = name.find(part)
            if position == 0 or (position > 0 and name[position - 1] == "."):
                found[name[position:]] = value
                break
    if "stem.weight" in found:
        found["stem.weight"] = found["stem.weight"][:, :3]
    wanted = sum(name.startswith(("stem", "blocks")) for name in network.state_dict())
    taken = _take(network, found, ("stem", "blocks"))
    if taken < wanted:
        raise ValueError(f"{path.name}: {taken} of {wanted} tensors of an EfficientNet-Lite0 to stride 16")


def load_member(path: Path) -> MammographyNet:
    """Load a trained member in whichever form it was trained, folded or not."""
    state = torch.load(path, weights_only=True)
    network = MammographyNet(pretrained=False, normalised="normalise.weight" in state)
    if "stem_norm.weight" not in state:
        fold_backbone(network)
    if "trunk.1.weight" not in state:
        fold_pyramid(network)
    network.load_state_dict(state)
    return network.eval()


def finished(path: Path) -> MammographyNet:
    """Load a trained member with every batch normalisation folded, ready for export."""
    network = load_member(path)
    fold_backbone(network)
    fold_pyramid(network)
    return network.eval()
