"""How far the same model may differ between engines, each with the reason for its size.

All are relative to the threshold: what counts is whether a verdict could change.
"""

from __future__ import annotations

from edge.thresholds import Precision

# Measured on real tiles, torch against ONNX Runtime: 3e-6 of the threshold for the cosine, whose distance from 1 is a
# sum of 65,536 products, and 4e-6 for the defect net. 1e-4 leaves room for other CPUs' vector widths and would still
# catch a wrong layer, a wrong border or a BatchNorm folded with the wrong statistics: those move scores by 1e-2 or
# more.
TORCH_ONNX_FRAC = 1e-4

# On the device, another ONNX Runtime version and processor; FP16 and INT8 engines round each layer in their own order.
GOLDEN_FRACS: dict[Precision, float] = {"fp32": 1e-3, "fp16": 2e-2, "int8": 1e-1, "int8-cpu": 1e-1}
