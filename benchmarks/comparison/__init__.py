"""Models on ipex against other ways to run them: one process per alternative, blocks of iterations interleaved."""
