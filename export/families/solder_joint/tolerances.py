"""How far the same model may differ between engines, each with the reason for its size.

All are relative to the threshold: what counts is whether a verdict could change.
"""

from __future__ import annotations

from edge.thresholds import Precision

# FP32 sums of 12,288 squares in another order differ by about 1e-6 of the score (measured torch against ONNX Runtime:
# see the README); 1e-4 leaves room for other CPUs' vector widths and would still catch a wrong layer, a wrong border of
# the upsampling or a BatchNorm folded with the wrong statistics, all of which move scores by 1e-2 or more.
TORCH_ONNX_FRAC = 1e-4

# On the device, another ONNX Runtime version and processor; ten times the above, still a tenth of what the closest
# wrong pre-processing (a crop shifted by one pixel) does to a score.
# FP16 and INT8 engines round each layer in their own order: one step of an activation more or less here and there. An
# engine that mixed up scales, zero points or layers is off by a multiple of this.
GOLDEN_FRACS: dict[Precision, float] = {"fp32": 1e-3, "fp16": 2e-2, "int8": 1e-1, "int8-cpu": 1e-1}
