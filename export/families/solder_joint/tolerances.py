"""How far the same model may differ between engines, each with the reason for its size.

All are relative to the threshold: what counts is whether a verdict could change.
"""

from __future__ import annotations

# FP32 sums of 12,288 squares in another order differ by about 1e-6 of the score (measured torch against ONNX Runtime:
# see the README); 1e-4 leaves room for other CPUs' vector widths and would still catch a wrong layer, a wrong border of
# the upsampling or a BatchNorm folded with the wrong statistics, all of which move scores by 1e-2 or more.
TORCH_ONNX_FRAC = 1e-4

# On the device, another ONNX Runtime version and processor; ten times the above, still a tenth of what the closest
# wrong pre-processing (a crop shifted by one pixel) does to a score.
GOLDEN_FRAC = 1e-3
