"""What a .tflite says of itself, read without trusting it."""
