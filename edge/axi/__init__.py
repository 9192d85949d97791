"""Boards seen by X-ray: joints in slices, with the machine's own call of each where it came along."""
