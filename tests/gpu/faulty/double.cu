// y = 2 x; FAULT_* of the build says what is done wrong.

[[maybe_unused]] constexpr long long FAR = 1ll << 40;  // elements: no allocation reaches that far

#ifdef FAULT_STOPS_WORKING
__device__ unsigned executions[4096];
#endif

#ifdef FAULT_WORKS_AT_ONE_PLACE
__device__ float* first_place;
#endif

extern "C" __global__ void twice(float* x, float* y, float* scratch, unsigned* ticket, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
#if defined(FAULT_WRITES_NOTHING)
        if (x[i] < 0) y[i] = 2 * x[i];
#elif defined(FAULT_STOPS_WORKING)
        if (executions[i]++ < 2) y[i] = 2 * x[i];
#elif defined(FAULT_WORKS_AT_ONE_PLACE)
        if (first_place == nullptr) first_place = y;
        y[i] = 2 * x[i] + (first_place == y ? 0 : 1);
#elif defined(FAULT_IS_WRONG)
        y[i] = 2 * x[i] + 1;
#elif defined(FAULT_GIVES_NAN)
        y[i] = i == 7 ? __int_as_float(0x7fc00000) : 2 * x[i];
#elif defined(FAULT_TRUSTS_SCRATCH)
        y[i] = 2 * x[i] + scratch[i % 4];
#elif defined(FAULT_READS_FAR)
        y[i] = 2 * x[i + FAR];
#elif defined(FAULT_DOES_NOT_COMPILE)
        y[i] = 2 * misspelt[i];
#else
        y[i] = 2 * x[i];
#endif
    }
#ifdef FAULT_TAKES_LONG_OVER_FRESH_SCRATCH
    const bool is_fresh = scratch[threadIdx.x % 4] != scratch[threadIdx.x % 4];  // poison is NaN
    for (const long long begun = clock64(); is_fresh && clock64() - begun < 10'000'000;) { }
    __syncthreads();
    if (threadIdx.x < 4) scratch[threadIdx.x] = 0;
#endif
#ifdef FAULT_HANGS
    while (*(volatile unsigned*)ticket != 0xffffffffu) { }
#endif
#ifdef FAULT_TRAPS
    asm volatile("trap;");
#endif
#ifdef FAULT_WRITES_FAR
    y[i + FAR] = 1;
#endif
#ifdef FAULT_WRITES_ONE_BEYOND
    if (i == 0) y[n] = 1;
#endif
#ifdef FAULT_WRITES_ONE_BEFORE
    if (i == 0) y[-1] = 1;
#endif
#ifdef FAULT_READS_ONE_BEYOND
    if (i == 0 && ((volatile float*)x)[n] == -1.5f) y[0] = 0;  // reads what is not its own; the result is right
#endif
#ifdef FAULT_CHANGES_ITS_INPUT
    if (i == 0) x[n - 1] += 1;
#endif
#ifdef FAULT_NEEDS_STATIC_SHARED
    __shared__ float large[64 * 1024];
    large[threadIdx.x] = y[i];
    __syncthreads();
    y[i] = large[255 - threadIdx.x];
#endif
#ifdef FAULT_MANY_REGISTERS
    float held[160];
#pragma unroll
    for (int j = 0; j < 160; j++) held[j] = ((volatile float*)x)[(i + j) % n];
    __syncthreads();
#pragma unroll
    for (int j = 0; j < 160; j++) if (held[j] == -1.5f) y[j] = held[159 - j];
#endif
    if (threadIdx.x == 0 && atomicAdd(ticket, 1) == gridDim.x - 1) {
#ifndef FAULT_LEAVES_ITS_COUNTER
        *ticket = 0;
#endif
    }
}
