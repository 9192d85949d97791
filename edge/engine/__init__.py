"""TensorRT on the device: a graph to an engine, a cache of engines, a device's memory, and an engine that is run."""
