"""What most people would write instead: ``torch.topk(q @ C.T, k)``, on the very same buffers."""

import torch


def search(corpus, query_rows, scores, indices, *, k, dtype):
    """Top-k of ``query_rows @ corpus.T`` on the current stream.

    Args:
        corpus: (corpus_size, dims) float32 or float16 array on the GPU; not copied.
        query_rows: (queries, dims), same dtype.
        scores: (queries, k) float32, written best first.
        indices: (queries, k) int32, written.
        k: rows to keep.
        dtype: "tf32" lets cuBLAS use tensor cores on float32 inputs.
    """
    torch.backends.cuda.matmul.allow_tf32 = dtype == "tf32"
    rows, wanted, best, where = (torch.as_tensor(a, device="cuda") for a in (corpus, query_rows, scores, indices))
    found = torch.topk(wanted @ rows.T, k, dim=1)
    best.copy_(found.values)
    where.copy_(found.indices)
