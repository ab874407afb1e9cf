// Prints how many operations per second the cores of this machine do on registers alone: the limit of any kernel.
//
// Usage: peak THREADS REPETITIONS
// Output: one JSON object, 10^9 operations per second by data type; null where the processor has no instruction for it.
// A multiplication and an addition are two operations. Each loop keeps 12 accumulators in registers, as many as hide the
// latency of two units with up to 6 cycles; named variables, because compilers keep arrays of them in memory.

#include <immintrin.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

namespace {

constexpr int kAccumulators = 12;
// A repetition of about a millisecond.
constexpr int kSteps = 200'000;

// One loop: 12 accumulators `a0 = OP(a0, x, y)` that do not depend on each other. The empty asm is where the optimiser must
// have computed them, in registers, and cannot know what x is.
#define IPEX_PEAK_LOOP(NAME, TARGET, TYPE, ZERO, ONE, OP)                             \
  __attribute__((target(TARGET), noinline)) void NAME() {                             \
    TYPE a0 = ZERO, a1 = ZERO, a2 = ZERO, a3 = ZERO, a4 = ZERO, a5 = ZERO;            \
    TYPE a6 = ZERO, a7 = ZERO, a8 = ZERO, a9 = ZERO, a10 = ZERO, a11 = ZERO;          \
    auto x = ONE, y = ONE;                                                            \
    asm volatile("" : "+x"(x), "+x"(y));                                              \
    for (int step = 0; step < kSteps; ++step) {                                       \
      a0 = OP(a0, x, y), a1 = OP(a1, x, y), a2 = OP(a2, x, y), a3 = OP(a3, x, y);     \
      a4 = OP(a4, x, y), a5 = OP(a5, x, y), a6 = OP(a6, x, y), a7 = OP(a7, x, y);     \
      a8 = OP(a8, x, y), a9 = OP(a9, x, y), a10 = OP(a10, x, y), a11 = OP(a11, x, y); \
      asm volatile(""                                                                 \
                   : "+x"(a0),                                                        \
                     "+x"(a1),                                                        \
                     "+x"(a2),                                                        \
                     "+x"(a3),                                                        \
                     "+x"(a4),                                                        \
                     "+x"(a5),                                                        \
                     "+x"(a6),                                                        \
                     "+x"(a7),                                                        \
                     "+x"(a8),                                                        \
                     "+x"(a9),                                                        \
                     "+x"(a10),                                                       \
                     "+x"(a11));                                                      \
    }                                                                                 \
  }

#define IPEX_FMA_256(a, x, y) _mm256_fmadd_ps(x, y, a)
#define IPEX_FMA_512(a, x, y) _mm512_fmadd_ps(x, y, a)
// The same bits as bfloat16 pairs: small numbers, which is all that matters.
#define IPEX_BF16_ONE reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3f80))

IPEX_PEAK_LOOP(fp32_avx2, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_set1_ps(1e-3f), IPEX_FMA_256)
IPEX_PEAK_LOOP(fp32_avx512, "avx512f", __m512, _mm512_setzero_ps(), _mm512_set1_ps(1e-3f), IPEX_FMA_512)
IPEX_PEAK_LOOP(bf16_avx512, "avx512f,avx512bf16", __m512, _mm512_setzero_ps(), IPEX_BF16_ONE, _mm512_dpbf16_ps)
IPEX_PEAK_LOOP(int8_avx, "avx2,avxvnni", __m256i, _mm256_setzero_si256(), _mm256_set1_epi8(1), _mm256_dpbusd_avx_epi32)
IPEX_PEAK_LOOP(
    int8_avx512,
    "avx512f,avx512vnni",
    __m512i,
    _mm512_setzero_si512(),
    _mm512_set1_epi8(1),
    _mm512_dpbusd_epi32)

// Returns 10^9 operations per second of all threads together: the best of some repetitions that begin at the same time.
double best_rate(const std::function<void()>& loop, int operations, int threads, int repetitions) {
  using Clock = std::chrono::steady_clock;
  std::barrier gate(threads);
  double best = 0;
  const auto work = [&](bool first) {
    for (int repetition = 0; repetition < repetitions; ++repetition) {
      gate.arrive_and_wait();
      const auto start = Clock::now();
      loop();
      gate.arrive_and_wait();
      const std::chrono::duration<double> seconds = Clock::now() - start;
      if (first)
        best = std::max(best, 1e-9 * threads * operations * kAccumulators * kSteps / seconds.count());
    }
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread)
    others.emplace_back(work, false);
  work(true);
  for (auto& other : others)
    other.join();
  return best;
}

} // namespace

int main(int count, char** arguments) {
  const int threads = count == 3 ? std::atoi(arguments[1]) : 0;
  const int repetitions = count == 3 ? std::atoi(arguments[2]) : 0;
  if (threads < 1 || repetitions < 1) {
    std::fprintf(stderr, "usage: peak THREADS REPETITIONS, both at least 1\n");
    return 2;
  }
  const auto print = [&](const char* name, void (*loop)(), int operations, const char* end) {
    if (loop == nullptr)
      std::printf("\"%s\": null%s", name, end);
    else
      std::printf("\"%s\": %.1f%s", name, best_rate(loop, operations, threads, repetitions), end);
  };
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  // Matrix tiles do several times what these loops do; without a loop for them there is no figure.
  const bool bf16 = __builtin_cpu_supports("avx512bf16") && !__builtin_cpu_supports("amx-bf16");
  const bool int8_512 = __builtin_cpu_supports("avx512vnni"), amx_int8 = __builtin_cpu_supports("amx-int8");
  const bool int8_256 = __builtin_cpu_supports("avxvnni");
  std::printf("{");
  // Operations of one instruction: lanes of 32 bits, times products per lane, times two.
  print("float32", avx512 ? fp32_avx512 : avx2 ? fp32_avx2 : nullptr, avx512 ? 32 : 16, ", ");
  print("bfloat16", bf16 ? bf16_avx512 : nullptr, 64, ", ");
  print(
      "int8",
      amx_int8       ? nullptr
          : int8_512 ? int8_avx512
          : int8_256 ? int8_avx
                     : nullptr,
      int8_512 ? 128 : 64,
      "}\n");
  return 0;
}
