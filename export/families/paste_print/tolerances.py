"""How far the same model may differ between engines, each with the reason for its size.

All are relative to the threshold: what counts is whether a verdict could change.
"""

from __future__ import annotations

from edge.thresholds import Precision

# FP32 sums in another order, carried through ten boards, differ by about 1e-7 of the score (measured torch against ONNX
# Runtime). 1e-4 leaves room for other CPUs' vector widths; a board out of order, a wrong phase of the deconvolution or
# a BatchNorm folded with the wrong statistics moves scores by 1e-2 or more.
TORCH_ONNX_FRAC = 1e-4

# On the device, another ONNX Runtime version and processor; ten times the above. FP16 and INT8 engines round each layer
# in their own order, and ten boards hand the roundings on.
GOLDEN_FRACS: dict[Precision, float] = {"fp32": 1e-3, "fp16": 2e-2, "int8": 1e-1, "int8-cpu": 1e-1}
