"""`pth_component`: optical pictures of components, prepared as those of joints are; what they are compared with is
embedded by the graph itself."""

from __future__ import annotations

from edge.families.solder_joint import graph_input

__all__ = ["graph_input"]
