"""The library baseline that needs nothing more than CuPy: a cuBLAS product, then a partial sort of every row."""

import cupy
from cupy._core import _routines_linalg as linalg  # CuPy's only other switch, the variable CUPY_TF32, is read once


def search(corpus, query_rows, scores, indices, *, k, dtype):
    """Top-k of ``query_rows @ corpus.T`` on the current stream.

    Args:
        corpus: (corpus_size, dims) float32 or float16 CuPy array.
        query_rows: (queries, dims), same dtype.
        scores: (queries, k) float32, written best first.
        indices: (queries, k) int32, written.
        k: rows to keep.
        dtype: "tf32" lets cuBLAS use tensor cores on float32 inputs.
    """
    before = linalg.get_compute_type(cupy.float32)
    wanted = linalg.COMPUTE_TYPE_TF32 if dtype == "tf32" else linalg.COMPUTE_TYPE_DEFAULT
    linalg.set_compute_type(cupy.float32, wanted)
    try:
        products = query_rows @ corpus.T
    finally:
        linalg.set_compute_type(cupy.float32, before)
    top = cupy.argpartition(products, products.shape[1] - k, axis=1)[:, -k:]
    values = cupy.take_along_axis(products, top, axis=1)
    order = cupy.argsort(-values, axis=1)
    scores[...] = cupy.take_along_axis(values, order, axis=1)
    indices[...] = cupy.take_along_axis(top, order, axis=1)
