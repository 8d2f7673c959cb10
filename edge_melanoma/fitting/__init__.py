"""The one loop that fits a model, for training and for compression alike."""
