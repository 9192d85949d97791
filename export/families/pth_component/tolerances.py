"""How far the same model may differ between engines, each with the reason for its size.

All are relative to the threshold: what counts is whether a verdict could change.
"""

from __future__ import annotations

from edge.thresholds import Precision

# A distance is the root of 512 squared differences of embeddings that are nearly the same: it loses digits that each
# embedding has. Measured torch against ONNX Runtime: see the README. 1e-4 leaves room for other CPUs' vector widths; a
# wrong border of a convolution, a BatchNorm folded with the wrong statistics or RGB for BGR moves scores by 1e-2 or
# more.
TORCH_ONNX_FRAC = 1e-4

# On the device, another ONNX Runtime version and processor; ten times the above. FP16 and INT8 engines round each layer
# in their own order, the references' layers as well as the crop's.
GOLDEN_FRACS: dict[Precision, float] = {"fp32": 1e-3, "fp16": 2e-2, "int8": 1e-1, "int8-cpu": 1e-1}
