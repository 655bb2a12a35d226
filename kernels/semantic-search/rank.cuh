// The best of many values with their places, by one warp or by the threads of a block together.
// This code runs once, at the end, out of a cold instruction cache: short loops beat unrolled ones here.
#pragma once
#include "common.cuh"

// Where tensor cores round the inputs, a few more candidates are kept than asked; float32 then decides.
constexpr int KEPT = RESCORE ? most(K, least(K + 6, K <= 32 ? 32 : 96)) : K;
constexpr int LISTS = parts(KEPT, 32);
constexpr int SHELF = (66 + KEPT) / 2 * 2;   // words of shared memory for one warp while it ranks: whole pairs

struct Ranked {
    float value[LISTS];
    int id[LISTS];
    int place[LISTS];         // 0 is the best; a permutation of all lanes of all lists
};

__device__ __forceinline__ float component(const float4& v, int i) {
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

// An integer in the order of the floats; its own inverse.
__device__ __forceinline__ int ordered(int bits) { return bits ^ (bits >> 31 & 0x7fffffff); }

// The KEPT-th largest of the 32 lanes' values: the least of those with fewer than KEPT above them.
__device__ __forceinline__ float kept_of_lanes(float v, int lane) {
    int above = 0;
#pragma unroll 8
    for (int i = 0; i < 32; i++) above += __shfl_xor_sync(ALL, v, i) > v;
    return __int_as_float(ordered(__reduce_min_sync(ALL, above < KEPT ? ordered(__float_as_int(v)) : 0x7f800000)));
}

__device__ __forceinline__ void insert(Ranked& list, float& bar, float v, int id, int lane) {
    int place = 0;
#pragma unroll
    for (int j = 0; j < LISTS; j++) place += __popc(__ballot_sync(ALL, list.value[j] >= v));
#pragma unroll
    for (int j = LISTS - 1; j >= 0; j--) {
        float value = __shfl_up_sync(ALL, list.value[j], 1);
        int below = __shfl_up_sync(ALL, list.id[j], 1);
        if (j > 0) {
            const float carried = __shfl_sync(ALL, list.value[j > 0 ? j - 1 : 0], 31);
            const int carried_id = __shfl_sync(ALL, list.id[j > 0 ? j - 1 : 0], 31);
            if (lane == 0) { value = carried; below = carried_id; }
        }
        const int mine = j * 32 + lane;
        if (mine > place) { list.value[j] = value; list.id[j] = below; }
        if (mine == place) { list.value[j] = v; list.id[j] = id; }
    }
    bar = __shfl_sync(ALL, list.value[(KEPT - 1) / 32], (KEPT - 1) % 32);
}

// Every value one after the other: always right, and taken only when many values tie or k > 32.
template <class Values> __device__ __forceinline__ void rank_slowly(Ranked& list, const Values& values, int lane) {
#pragma unroll
    for (int j = 0; j < LISTS; j++) { list.value[j] = NOTHING; list.id[j] = -1; }
    float bar = NOTHING;
    const int units = values.units();
#pragma unroll 1
    for (int first = 0; first < units; first += 32) {
        const int id = values.first_id(first + lane);
        const float4 v = values.load(id);
#pragma unroll 1
        for (int c = 0; c < 4; c++) {
            const float mine = component(v, c);
            for (unsigned waiting = __ballot_sync(ALL, mine > bar); waiting; ) {
                const int source = __ffs(waiting) - 1;
                insert(list, bar, __shfl_sync(ALL, mine, source), __shfl_sync(ALL, id, source) + c, lane);
                waiting &= waiting - 1;
                waiting &= __ballot_sync(ALL, mine > bar);
            }
        }
    }
}

// What reached a bound, in shared memory: the first 32 values with their ids, and how many there were.
struct Reached {
    float2* entries;
    int* count;
};

// Every value that reaches `bound`, of the units `first`, `first` + `stride` and so on, goes to the shelf: a dozen of
// hundreds, so that everything but the loads is rare.  Loads are AT_ONCE at a time: they take as long as one.
template <int AT_ONCE, class Values>
__device__ __forceinline__ void collect(const Values& values, float bound, int first, int stride, const Reached& reached) {
    const int units = values.units();
#pragma unroll 1
    for (; first < units; first += stride * AT_ONCE) {
        unsigned some = 0;
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++) {
            const int unit = first + u * stride;
            const float4 v = values.load(unit < units ? values.first_id(unit) : -1);
            if (fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)) >= bound) some |= 1u << u;
        }
#pragma unroll 1
        for (; some; some &= some - 1) {
            const int unit = first + (__ffs(some) - 1) * stride;
            const int id = values.first_id(unit < units ? unit : first);
            const float4 v = values.load(unit < units ? id : -1);
#pragma unroll
            for (int c = 0; c < 4; c++) {
                if (component(v, c) < bound || !(component(v, c) > NOTHING)) continue;
                const int place = atomicAdd(reached.count, 1);
                if (place < 32) reached.entries[place] = make_float2(component(v, c), __int_as_float(id + c));
            }
        }
    }
}

// The largest of the units `first`, `first` + `stride` and so on.
template <int AT_ONCE, class Values> __device__ __forceinline__ float largest(const Values& values, int first, int stride) {
    const int units = values.units();
    float mine = NOTHING;
#pragma unroll 1
    for (; first < units; first += stride * AT_ONCE) {
#pragma unroll
        for (int u = 0; u < AT_ONCE; u++) {
            const int unit = first + u * stride;
            const float4 v = values.load(unit < units ? values.first_id(unit) : -1);
            mine = fmaxf(mine, fmaxf(fmaxf(v.x, v.y), fmaxf(v.z, v.w)));
        }
    }
    return mine;
}

// The places of at most 32 values that reached the bound, by one warp.
__device__ __forceinline__ void place_reached(Ranked& list, const Reached& reached, int count, int lane) {
    const float2 own = lane < count ? reached.entries[lane] : make_float2(NOTHING, __int_as_float(-1));
    const int id = __float_as_int(own.y);
    int place = lane < count ? 0 : lane;
    if (lane < count) {
#pragma unroll 4
        for (int i = 0; i < count; i++) {
            const float2 other = reached.entries[i];
            place += other.x > own.x || (other.x == own.x && __float_as_int(other.y) < id);
        }
    }
    list.value[0] = own.x;
    list.id[0] = id;
    list.place[0] = place;
}

// The KEPT best of `values`, by one warp, each with its place in the order.  `bound` is a lower bound of the KEPT-th best
// where one is known; the KEPT-th best of the 32 lanes' own maxima is another.  About a dozen values reach it.
template <bool KNOWN, class Values>
__device__ __forceinline__ void rank(Ranked& list, const Values& values, float bound, float* shelf, int lane) {
#pragma unroll
    for (int j = 0; j < LISTS; j++) list.place[j] = j * 32 + lane;
    if constexpr (KEPT <= 32) {
        const Reached reached{reinterpret_cast<float2*>(shelf), reinterpret_cast<int*>(shelf + 64)};
        if constexpr (!KNOWN) bound = kept_of_lanes(largest<8>(values, lane, 32), lane);
#pragma unroll 1
        for (int attempt = 0; attempt < 4; attempt++) {
            if (lane == 0) *reached.count = 0;
            __syncwarp();
            collect<8>(values, bound, lane, 32, reached);
            __syncwarp();
            const int count = *reached.count;
            if (count <= 32) {
                place_reached(list, reached, count, lane);
                __syncwarp();
                return;
            }
            // Too many, now and then: the KEPT-th of the 32 that were kept is a higher bound, unless they tie.
            bound = kept_of_lanes(reached.entries[lane].x, lane);
            __syncwarp();
        }
    }
    rank_slowly(list, values, lane);
}
