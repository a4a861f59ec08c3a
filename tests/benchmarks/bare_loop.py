"""The bare loop gatekeeper's latency is held against: no gatekeeper in it.

Usage: bare_loop.py MODEL INPUTS.npz THREADS; a line on standard input starts a block, the answer is its latencies.
"""

import json
import sys
import time

import numpy as np
import onnxruntime

model, inputs, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
with np.load(inputs) as arrays:
    stacked = {name: arrays[name] for name in arrays.files}
feeds = [{name: a[i] for name, a in stacked.items()} for i in range(len(next(iter(stacked.values()))))]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
for line in sys.stdin:
    duration_ns = int(line)
    for i in range(3):
        session.run(None, feeds[i % len(feeds)])
    found, start, i = [], time.perf_counter_ns(), 0
    while time.perf_counter_ns() - start < duration_ns:
        feed = feeds[i % len(feeds)]
        before = time.perf_counter_ns()
        session.run(None, feed)
        found.append(time.perf_counter_ns() - before)
        i += 1
    print(json.dumps(found), flush=True)
