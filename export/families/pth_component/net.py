"""The Siamese network: one backbone and a head, the same for crops and for references.

The paper's hyperparameters are its arguments: BatchNorm after the embedding, embeddings of length one, and how many
layers of the backbone are trained, counted from its output; those before them keep weights and BatchNorm statistics.
"""

from __future__ import annotations

from torch import Tensor, nn

from export.families.pth_component.backbones import Backbone, layers_of

INPUT_PX = 128
EMBEDDING_SIZE = 512
MIN_LENGTH = 1e-6  # an embedding of zeros stays one


class PartNet(nn.Module):
    """(N, 3, 128, 128) BGR x/127.5 - 1 to embeddings (N, `embedding_size`).

    `trainable_layers` None trains all of the backbone, 0 only the head. Raises UnknownName, and ValueError where the
    backbone has fewer layers.
    """

    def __init__(
        self,
        backbone: str,
        *,
        embedding_size: int = EMBEDDING_SIZE,
        batch_norm: bool = False,
        normalise: bool = False,
        trainable_layers: int | None = None,
        pretrained: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, pretrained=pretrained)
        self.head = nn.Linear(self.backbone.features, embedding_size)
        self.norm = nn.BatchNorm1d(embedding_size) if batch_norm else nn.Identity()
        self.normalise = normalise
        self.embedding_size = embedding_size
        layers = layers_of(self.backbone)
        if trainable_layers is not None and not 0 <= trainable_layers <= len(layers):
            raise ValueError(f"trainable_layers {trainable_layers}: {backbone} has 0 to {len(layers)}")
        self.frozen = layers[: len(layers) - (len(layers) if trainable_layers is None else trainable_layers)]
        for layer in self.frozen:
            for weights in layer.parameters(recurse=False):
                weights.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (N, `embedding_size`)."""
        embedding = self.norm(self.head(self.backbone(x)))
        return of_length_one(embedding) if self.normalise else embedding

    def train(self, mode: bool = True) -> PartNet:
        """Frozen layers stay in evaluation mode, so that their BatchNorm statistics stay, too."""
        super().train(mode)
        for layer in self.frozen:
            layer.eval()
        return self


def of_length_one(vectors: Tensor) -> Tensor:
    """(..., E) divided by their lengths. torch's own `normalize` becomes twice as many nodes, with shapes computed."""
    return vectors / (vectors * vectors).sum(dim=-1, keepdim=True).sqrt().clamp_min(MIN_LENGTH)
