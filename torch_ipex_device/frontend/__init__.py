"""Front end for models: `ipex.optimize` and the process-wide switches that belong to it."""
