"""A Raspberry Pi without a Raspberry Pi: its userland in an emulator, and instructions counted there."""
