"""A small kernel file and a full grid file for it, as text, for the tests of their decoding."""

from __future__ import annotations

SOURCES = {"reference.py": "", "rows.py": "", "rows.mojo": "", "rows.cu": ""}

GRID = """
name = "full-1"
kernel = "rows"
implementations = ["numpy", "mojo"]
device = "cpu"

[axes]
threads = { start = 1, stop = 8, factor = 2 }
numpy = { tile = [16, 32] }

[axes.mojo]
tile = { start = 8, stop = 24, step = 8 }

[constraints]
where = ["tile * threads <= 128"]

[problem]
rows = [1000, 2000]
dtype = "float32"

[method]
cache = "hot"
precision_percent = 2
min_samples = 6

[targets]
"latency_ms.p95" = "< 50"
success_rate = ">= 0.95"

[budget]
minutes = 1.5
trials = 10

[compare]
label = "V1"
simulated = true
latency_ms = 2.99
rows = 3651
note = "made up"
"""

KERNEL = """
name = "rows"
summary = "The sum of every row."

[problem.rows]
type = "int"
default = 1000
min = 1
max = 100000

[problem.dtype]
type = "str"
default = "float32"
choices = ["float32", "float16"]

[constraints]
where = ["rows > 0"]

[arguments.x]
role = "input"
dtype = { float32 = "float32", float16 = "float16" }
shape = ["rows", 128]

[arguments.sums]
role = "output"
dtype = "float32"
shape = ["rows"]

[arguments.count]
role = "scalar"
dtype = "int64"
value = "rows"

[metrics]
rows_per_s = "rows / seconds"

[implementations.numpy.cpu]
language = "python"
source = "rows.py"
entry = "sums"
arguments = ["x", "sums"]
parameters = ["tile", "threads", "alpha"]
where = ["threads <= device_cores"]
axes = { threads = [1, 2], tile = [16, 32, 64], alpha = [0.5] }

[implementations.mojo.cpu]
language = "mojo"
source = "rows.mojo"
entry = "sums"
arguments = ["x", "sums", "count"]
parameters = ["tile"]
axes = { threads = [1, 2], tile = [8, 16] }

[implementations.mojo.gpu]
language = "mojo"
source = "rows.mojo"
parameters = ["block"]
axes = { block = [64, 128] }

[[implementations.mojo.gpu.launches]]
entry = "sums"
grid = ["ceildiv(rows, block)"]
block = ["block"]
arguments = ["x", "sums", "count"]

[implementations.cuda.gpu]
language = "cuda"
source = "rows.cu"
parameters = ["block", "layout"]
options = ["--use_fast_math"]
axes = { block = [64, 128], layout = ["row", "column"] }

[[implementations.cuda.gpu.launches]]
entry = "sums"
grid = ["ceildiv(rows, block)", 1]
block = ["block"]
shared_bytes = "block * 4"
arguments = ["x", "sums", "count"]
"""
