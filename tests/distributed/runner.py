"""Runs a program, then leaves without Python's finalisation: `python runner.py PROGRAM ARGUMENT...`

gloo's threads may still let go of tensors when a program has ended. Python ends such a thread while it finalises, which C++
answers with "terminate called without an active exception": on a busy machine, one of four runs of DDP on CPU tensors too.
"""

import os
import runpy
import sys

sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
sys.stdout.flush()
sys.stderr.flush()
os._exit(0)
