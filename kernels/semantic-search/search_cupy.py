"""The library baseline that needs nothing more than CuPy: a cuBLAS product, then a partial sort of every row."""

import cupy
from cupy.cuda import cublas, device


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
    handle = device.get_cublas_handle()
    before = cublas.getMathMode(handle)
    cublas.setMathMode(handle, cublas.CUBLAS_TF32_TENSOR_OP_MATH if dtype == "tf32" else cublas.CUBLAS_DEFAULT_MATH)
    try:
        products = query_rows @ corpus.T
    finally:
        cublas.setMathMode(handle, before)
    top = cupy.argpartition(products, products.shape[1] - k, axis=1)[:, -k:]
    values = cupy.take_along_axis(products, top, axis=1)
    order = cupy.argsort(-values, axis=1)
    scores[...] = cupy.take_along_axis(values, order, axis=1)
    indices[...] = cupy.take_along_axis(top, order, axis=1)
