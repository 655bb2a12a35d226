// Names shared by the two ways to score: macros of the build, asynchronous copies, warp-wide reductions.
// Compiles with NVRTC and nvcc, CUDA 12 and 13, for sm_80 and newer; includes nothing from outside.
#pragma once

#ifndef TILE_SIZE
#define TILE_SIZE 64
#endif
#ifndef BLOCK_SIZE
#define BLOCK_SIZE 128
#endif
#ifndef SHARED_MEMORY_KB
#define SHARED_MEMORY_KB 16
#endif
#ifndef QUERY_TILE
#define QUERY_TILE 128
#endif
#ifndef SUMS                    // sums that one thread may hold: registers against reuse
#define SUMS (TILE_SIZE >= 192 ? 128 : 64)
#endif
#ifndef QUERIES
#define QUERIES 1
#endif
#ifndef DIMS
#define DIMS 768
#endif
#ifndef K
#define K 10
#endif

#if defined(DTYPE_FLOAT16)
constexpr int ELEMENT_BYTES = 2;
constexpr bool TENSOR_CORES = true;
constexpr bool RESCORE = false;
#elif defined(DTYPE_TF32)
constexpr int ELEMENT_BYTES = 4;
constexpr bool TENSOR_CORES = true;
constexpr bool RESCORE = QUERIES > 1;   // tensor cores find the candidates, float32 decides among them
#else
// float32 on tensor cores: every number as the sum of two that tf32 holds exactly enough, three products for one.
#ifndef SPLIT_FLOAT32
#define SPLIT_FLOAT32 (QUERIES >= 32)
#endif
constexpr int ELEMENT_BYTES = 4;
constexpr bool TENSOR_CORES = SPLIT_FLOAT32;
constexpr bool RESCORE = SPLIT_FLOAT32;
#endif
#ifndef SPLIT_FLOAT32
#define SPLIT_FLOAT32 0
#endif

#ifndef RESIDENT_WARPS          // registers are rationed so that this many warps fit on a multiprocessor
#define RESIDENT_WARPS (QUERIES == 1 ? 32 : SUMS > 64 && QUERIES >= 32 ? 8 : 16)
#endif

constexpr int WARPS = BLOCK_SIZE / 32;
constexpr int SHARED_BYTES = SHARED_MEMORY_KB * 1024;
constexpr int ROW_BYTES = DIMS * ELEMENT_BYTES;
constexpr int VECTOR = 16 / ELEMENT_BYTES;                 // elements in one 16-byte access
constexpr int ROW_CHUNKS = (ROW_BYTES + 511) / 512;        // 16 bytes for each lane of a warp
constexpr unsigned ALL = 0xffffffffu;

static_assert(ROW_BYTES % 16 == 0, "a row must be a multiple of 16 bytes: dims % 4 (float32) or % 8 (float16)");
static_assert(BLOCK_SIZE % 32 == 0 && BLOCK_SIZE <= 1024, "block_size must be whole warps");
static_assert(TILE_SIZE % 16 == 0, "tile_size must be a multiple of 16");
static_assert(K >= 1 && K <= 64, "k must be 1 to 64");

__host__ __device__ constexpr int least(int a, int b) { return a < b ? a : b; }
__host__ __device__ constexpr int most(int a, int b) { return a > b ? a : b; }
__host__ __device__ constexpr int parts(int a, int b) { return (a + b - 1) / b; }

#define NOTHING __int_as_float(0xff800000)                 // minus infinity: below every score

__device__ __forceinline__ unsigned shared_address(const void* pointer) {
    return static_cast<unsigned>(__cvta_generic_to_shared(pointer));
}

// Sixteen bytes to shared memory without passing registers or L1; zeros where `valid` is false.  `AHEAD` asks for
// 256 bytes in L2, which pays where the next pieces of a row are fetched later.
template <bool AHEAD> __device__ __forceinline__ void copy_async(unsigned target, const char* source, bool valid) {
    const int bytes = valid ? 16 : 0;
    if constexpr (AHEAD)
        asm volatile("cp.async.cg.shared.global.L2::256B [%0], [%1], 16, %2;" ::"r"(target), "l"(source), "r"(bytes) : "memory");
    else
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(target), "l"(source), "r"(bytes) : "memory");
}

__device__ __forceinline__ void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int PENDING> __device__ __forceinline__ void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

__device__ __forceinline__ uint4 load_shared(unsigned address) {
    uint4 v;
    asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "r"(address)
                 : "memory");
    return v;
}

__device__ __forceinline__ float2 half_pair(unsigned bits) {
    float2 v;
    asm("{.reg .b16 lo, hi; mov.b32 {lo, hi}, %2; cvt.f32.f16 %0, lo; cvt.f32.f16 %1, hi;}"
        : "=f"(v.x), "=f"(v.y)
        : "r"(bits));
    return v;
}

// The elements of one 16-byte access as float32.
__device__ __forceinline__ void widen(uint4 bits, float (&out)[VECTOR]) {
    const unsigned words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
        if constexpr (ELEMENT_BYTES == 2) {
            const float2 pair = half_pair(words[i]);
            out[2 * i] = pair.x;
            out[2 * i + 1] = pair.y;
        } else {
            out[i] = __uint_as_float(words[i]);
        }
    }
}

__device__ __forceinline__ float warp_sum(float v) {
#pragma unroll
    for (int step = 16; step; step /= 2) v += __shfl_xor_sync(ALL, v, step);
    return v;
}

// What one execution works on.
struct Search {
    const char* corpus;       // [corpus_size, DIMS]
    const char* query_rows;   // [QUERIES, DIMS]
    float* scores;            // [QUERIES, K]
    int* indices;             // [QUERIES, K]
    float* partial_scores;    // [QUERIES, stride]: every inner product
    float* group_best;        // [QUERIES, groups]: the best of each group of rows
    int corpus_size;
    int tiles;                // of TILE_SIZE rows
    int stride;               // tiles * TILE_SIZE
    int groups;
    int groups_stride;        // groups, rounded up to whole float4
};
