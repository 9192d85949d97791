"""The gate link: frames, both ends of the protocol, the wires, and a simulated gate. Never imports `edge/`."""
