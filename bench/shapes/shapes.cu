// One warp sums UNROLL rows of 768 floats at a time; blocks go round the rows, so any number of them will do.
#ifdef TUNETUI_TRACE
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

extern "C" __global__ void shapes(const float4* matrix, float* sums, int rows TRACE_ARGUMENT) {
    TRACE_START
    const int lane = threadIdx.x & 31, warp = (blockIdx.x * BLOCK + threadIdx.x) / 32;
    const int step = gridDim.x * (BLOCK / 32) * UNROLL;
    for (int first = warp * UNROLL; first < rows; first += step) {
        float4 held[UNROLL][6];
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
#pragma unroll
            for (int c = 0; c < 6; c++)
                held[u][c] = first + u < rows ? matrix[(first + u) * 192ll + c * 32 + lane] : make_float4(0, 0, 0, 0);
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            float sum = 0;
#pragma unroll
            for (int c = 0; c < 6; c++) sum += held[u][c].x + held[u][c].y + held[u][c].z + held[u][c].w;
#pragma unroll
            for (int distance = 16; distance; distance /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, distance);
            if (lane == 0 && first + u < rows) sums[first + u] = sum;
        }
    }
    TRACE_STOP
}
