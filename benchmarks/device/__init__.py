"""What `edge-melanoma bench` measures on a device: time, memory, parity, and the state the device was in."""
