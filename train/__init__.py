"""The stage that turns an index into a float Keras model and its evaluation. Installed as edge_melanoma.train."""
