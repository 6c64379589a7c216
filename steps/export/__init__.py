"""A final model -> a file of ONNX, and a model that MLflow serves without TensorFlow."""
