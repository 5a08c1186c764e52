// What the kernels share: vectors, threads, activations, declarations for XLA.
//
// All kernels are for float32 NHWC on a CPU. Channels are the fast axis. Work is cut into
// items whose number depends on shapes only, and sums are kept per item and added in
// order: results do not depend on the threads.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#ifdef __SSE__
#include <immintrin.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<Array>;

constexpr int kVector = 8;  // floats in a vector
constexpr int64_t kChunk = 1 << 15;  // floats of one item: a fraction of a cache
typedef float Vector __attribute__((vector_size(32), aligned(4)));


// Vectors for what computes more than it reads. Processors that have VBMI2 (Ice Lake and
// later, Zen 4) hardly slow down under vectors of 512 bits; earlier ones do.
#ifdef __AVX512VBMI2__
constexpr int kWide = 16;
typedef float Wide __attribute__((vector_size(64), aligned(4)));
// Eight numbers, and zeros.
inline Wide half_at(const float* p) { return (Wide)_mm512_zextps256_ps512(_mm256_loadu_ps(p)); }
#else
constexpr int kWide = kVector;
typedef Vector Wide;
inline Wide half_at(const float*) { return Wide{}; }  // no vector is half full
#endif

// The two widths as types: a template's argument would lose a vector's alignment. V is a
// value, aligned as the processor likes it, and `at` is memory, aligned as a float.
struct Narrow {
  typedef float V __attribute__((vector_size(4 * kVector)));
  static Vector& at(float* p) { return *reinterpret_cast<Vector*>(p); }
  static V at(const float* p) { return *reinterpret_cast<const Vector*>(p); }
};
struct Broad {
  typedef float V __attribute__((vector_size(4 * kWide)));
  static Wide& at(float* p) { return *reinterpret_cast<Wide*>(p); }
  static V at(const float* p) { return *reinterpret_cast<const Wide*>(p); }
};

// Calls f(first channel, Broad or Narrow) for all channels, multiples of eight.
template <typename F>
inline void each_channel(int64_t channels, const F& f) {
  int64_t c = 0;
  for (; c + kWide <= channels; c += kWide) f(c, Broad{});
  for (; c < channels; c += kVector) f(c, Narrow{});
}

// Runs work(0) ... work(items - 1) on XLA's threads and this one. It waits until all
// items are done, not until its tasks have started: they may sit behind a handler that
// waits as this one does, and one that starts late finds nothing left to do.
template <typename Work>
void parallel(ffi::ThreadPool& pool, int64_t items, const Work& work) {
  struct Progress {
    std::atomic<int64_t> next{0}, done{0};
  };
  auto progress = std::make_shared<Progress>();
  auto run = [progress, items, &work] {
    for (int64_t i; (i = progress->next++) < items; progress->done++) work(i);
  };
  int64_t helpers = std::min(pool.num_threads(), items) - 1;
  for (int64_t n = 0; n < helpers; ++n) pool.Schedule(decltype(run)(run));
  run();
  while (progress->done < items) std::this_thread::yield();
}

// total = the sum of `items` arrays of `size`, one after the other.
void add_up(ffi::ThreadPool& pool, const float* sums, int64_t items, int64_t size,
            float* total) {
  constexpr int64_t slices = 8;
  parallel(pool, slices, [&](int64_t slice) {
    int64_t begin = size * slice / slices, end = size * (slice + 1) / slices;
    std::memcpy(total + begin, sums + begin, 4 * (end - begin));
    for (int64_t item = 1; item < items; ++item)
      for (int64_t i = begin; i < end; ++i) total[i] += sums[item * size + i];
  });
}

// ---- activations: value and slope of z = x * scale + shift, of vectors of any width ---

template <typename V>
inline V clip(V z, float low, float high) {
  z = z > low ? z : V{} + low;
  return z < high ? z : V{} + high;
}

struct Linear {
  template <typename V> static V value(V z) { return z; }
  template <typename V> static V slope(V) { return V{} + 1.0f; }
};
struct Relu {
  template <typename V> static V value(V z) { return z > 0.0f ? z : V{}; }
  template <typename V> static V slope(V z) { return z > 0.0f ? V{} + 1.0f : V{}; }
};
struct Relu6 {
  template <typename V> static V value(V z) { return clip(z, 0.0f, 6.0f); }
  template <typename V> static V slope(V z) {
    V one = z < 6.0f ? V{} + 1.0f : V{};
    return z > 0.0f ? one : V{};
  }
};
struct HardSwish {
  template <typename V> static V value(V z) {
    return z * (clip(z + 3.0f, 0.0f, 6.0f) / 6.0f);
  }
  template <typename V> static V slope(V z) {
    V inner = z < 3.0f ? z / 3.0f + 0.5f : V{} + 1.0f;
    return z > -3.0f ? inner : V{};
  }
};

// Calls f with the activation that a name stands for; false for an unknown name.
template <typename F>
bool with_activation(std::string_view name, F f) {
  if (name == "linear") return f(Linear{}), true;
  if (name == "relu") return f(Relu{}), true;
  if (name == "relu6") return f(Relu6{}), true;
  if (name == "hard_swish") return f(HardSwish{}), true;
  return false;
}

// A bias without elements stands for none.
const float* data_or_null(const Array& bias) {
  return bias.element_count() ? bias.typed_data() : nullptr;
}

ffi::Error unknown(const char* what) { return ffi::Error::InvalidArgument(what); }

}  // namespace

#define IN .Arg<Array>()
#define OUT .Ret<Array>()
#define KERNEL(name, ...)                                      \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(mobilenet_##name, name,        \
                                ffi::Ffi::Bind().Ctx<ffi::ThreadPool>() __VA_ARGS__)
#define WINDOW .Attr<int64_t>("stride").Attr<int64_t>("top").Attr<int64_t>("left")
#define ACT .Attr<std::string_view>("act")
#define EPSILON .Attr<float>("epsilon")
