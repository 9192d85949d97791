"""One FP32 graph to the same graph in FP16 and INT8, each kept only if it gives the same verdicts.

`build.graphs_of` is the whole of it. Works on ONNX files alone; torch is not needed.
"""
