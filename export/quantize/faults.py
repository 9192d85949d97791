"""What can be wrong with a graph of another precision."""

from __future__ import annotations

from export.faults import WorkshopFault


class QuantizeFault(WorkshopFault):
    """A graph that cannot be made in another precision: which node or tensor, what came, what is needed."""


class QdqFault(QuantizeFault):
    """A Q/DQ graph that TensorRT would refuse or run badly: every node with the rule it breaks."""
