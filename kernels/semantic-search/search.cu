// Exact top-k search: for every query the K corpus rows with the largest inner product, in one launch.
// Fixed at build time: TILE_SIZE, BLOCK_SIZE, SHARED_MEMORY_KB, QUERY_TILE, QUERIES, DIMS, K and DTYPE_*.
#include "stream.cuh"
#include "wide.cuh"

#ifdef TUNETUI_TRACE
// Per warp: start and stop in nanoseconds, and the multiprocessor it ran on.
#define TRACE_ARGUMENT , unsigned long long* trace
__device__ __forceinline__ unsigned long long nanoseconds() {
    unsigned long long t;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(t)::"memory");
    return t;
}
// Warp by warp, without a barrier at the end: warps that finish early must leave early, as they do in the timed build.
#define TRACE_START                                                                                       \
    const unsigned long long trace_place = (blockIdx.x * (blockDim.x / 32ull) + threadIdx.x / 32) * 3;    \
    if (threadIdx.x % 32 == 0) {                                                                          \
        unsigned multiprocessor;                                                                          \
        asm volatile("mov.u32 %0, %smid;" : "=r"(multiprocessor));                                        \
        trace[trace_place] = nanoseconds();                                                               \
        trace[trace_place + 2] = multiprocessor;                                                          \
    }
#define TRACE_STOP                                                                                        \
    __syncwarp();                                                                                         \
    if (threadIdx.x % 32 == 0) trace[trace_place + 1] = nanoseconds();
#else
#define TRACE_ARGUMENT
#define TRACE_START
#define TRACE_STOP
#endif

extern "C" __global__ void __launch_bounds__(BLOCK_SIZE, most(1, least(16, RESIDENT_WARPS / WARPS)))
search(const char* corpus, const char* query_rows, float* scores, int* indices, float* partial_scores,
       float* group_best, unsigned* ticket, int corpus_size, int mergers TRACE_ARGUMENT) {
    extern __shared__ __align__(1024) float shared[];
    TRACE_START
    Search work{corpus, query_rows, scores, indices, partial_scores, group_best, corpus_size, 0, 0, 0, 0};
    work.tiles = parts(corpus_size, TILE_SIZE);
    work.stride = work.tiles * TILE_SIZE;
#if QUERIES == 1
    work.groups = gridDim.x - 1;
    work.groups_stride = parts(work.groups, 4) * 4;
    stream(work, ticket, shared);
#else
    work.groups = work.stride / GROUP_ROWS;
    work.groups_stride = parts(work.groups, 4) * 4;
    if constexpr (WIDE) score_wide(work, ticket, mergers, shared);
    else if constexpr (TENSOR_CORES) score_tiles<TensorSums>(work, ticket, mergers, shared);
    else score_tiles<FmaSums>(work, ticket, mergers, shared);
#endif
    TRACE_STOP
}
