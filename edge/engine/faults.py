"""What can go wrong between a graph and a GPU, by what a person would do about it."""

from __future__ import annotations


class EngineFault(Exception):
    """No engine came of a graph, or it cannot run here. The base of the others."""


class NoDevice(EngineFault):
    """There is no CUDA device, no driver, or no binding to talk to it with: use another engine on this machine."""


class ApiFault(EngineFault):
    """This TensorRT is not one that this code knows: which version, which are known."""


class BuildFault(EngineFault):
    """TensorRT refuses a graph or cannot build it: which node, and what TensorRT said."""


class CudaFault(EngineFault):
    """A call to CUDA failed: which call, and what it said."""
