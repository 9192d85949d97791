"""How far the same model may differ between engines, each with the reason for its size.

All are relative to the threshold, which is a probability: what counts is whether a verdict could change.
"""

from __future__ import annotations

from edge.thresholds import Precision

# FP32 sums in another order: probabilities differ by some 1e-7 where a dense layer adds 53,824 products (measured torch
# against ONNX Runtime: see the README). Thresholds that keep a recall of 0.99 can be as low as 1e-2. A wrong layer or a
# wrong order of slices moves probabilities by 1e-2 or more.
TORCH_ONNX_FRAC = 1e-3

# On the device, another ONNX Runtime version and processor. FP16 and INT8 engines round each layer in their own order;
# an engine that mixed up scales, zero points or layers is off by a multiple of this.
GOLDEN_FRACS: dict[Precision, float] = {"fp32": 5e-3, "fp16": 5e-2, "int8": 1e-1, "int8-cpu": 1e-1}
