// Kernels of the compiled lowering: XLA custom calls for float32 NHWC on a CPU.
//
// Channels are the fast axis and come in multiples of eight, so that every loop below is
// over whole vectors. Work is cut into items whose number depends on shapes only and
// sums are kept per item and added in order: results do not depend on the threads.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace {

using Array = ffi::Buffer<ffi::F32>;
using Result = ffi::Result<Array>;

constexpr int kVector = 8;  // floats in a vector
constexpr int kTile = 4;    // output pixels that share what is loaded
constexpr int64_t kChunk = 1 << 15;  // floats of one item: a fraction of a cache
typedef float Vector __attribute__((vector_size(32), aligned(4)));

inline Vector& at(float* p) { return *reinterpret_cast<Vector*>(p); }
inline Vector at(const float* p) { return *reinterpret_cast<const Vector*>(p); }

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

// ---- activations: value and slope of z = x * scale + shift ------------------------

inline Vector clip(Vector z, float low, float high) {
  z = z > low ? z : Vector{} + low;
  return z < high ? z : Vector{} + high;
}

struct Linear {
  static Vector value(Vector z) { return z; }
  static Vector slope(Vector) { return Vector{} + 1.0f; }
};
struct Relu {
  static Vector value(Vector z) { return z > 0.0f ? z : Vector{}; }
  static Vector slope(Vector z) { return z > 0.0f ? Vector{} + 1.0f : Vector{}; }
};
struct Relu6 {
  static Vector value(Vector z) { return clip(z, 0.0f, 6.0f); }
  static Vector slope(Vector z) {
    Vector one = z < 6.0f ? Vector{} + 1.0f : Vector{};
    return z > 0.0f ? one : Vector{};
  }
};
struct HardSwish {
  static Vector value(Vector z) { return z * (clip(z + 3.0f, 0.0f, 6.0f) / 6.0f); }
  static Vector slope(Vector z) {
    Vector inner = z < 3.0f ? z / 3.0f + 0.5f : Vector{} + 1.0f;
    return z > -3.0f ? inner : Vector{};
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

// ---- depthwise convolution -----------------------------------------------------------

struct Shape {
  int64_t images, rows, columns, channels;  // of the input
  int64_t out_rows, out_columns, top, left;
  int64_t tiles() const { return (out_columns + kTile - 1) / kTile; }
};

Shape shape_of(const Array& x, ffi::Span<const int64_t> out, int64_t top, int64_t left) {
  auto d = x.dimensions();
  return {d[0], d[1], d[2], d[3], out[1], out[2], top, left};
}

// The last K rows of the padded input, row r at r % K: each row is copied once, which
// pads it, so that no tile asks whether a tap falls outside. Right of the padding there
// are zeros enough for a last tile that is not full.
template <int K, int S>
struct Ring {
  int64_t width, channels;
  std::vector<float> data;

  explicit Ring(const Shape& s)
      : width((s.tiles() * kTile - 1) * S + K),
        channels(s.channels),
        data(K * width * channels) {}

  float* row(int64_t r) { return data.data() + r % K * width * channels; }

  void read(const Shape& s, const float* image, int64_t r) {
    int64_t y = r - s.top, n = std::min(s.columns, width - s.left) * channels;
    if (y >= 0 && y < s.rows)
      std::memcpy(row(r) + s.left * channels, image + y * s.columns * channels, 4 * n);
    else
      std::memset(row(r), 0, 4 * width * channels);
  }
};

// A tile of four pixels of one output row and eight channels stays in registers over
// all taps; an input pixel is loaded once a kernel row for the whole tile.
template <int K, int S, typename Finish>
void depthwise_rows(const Shape& s, const float* image, const float* kernel, float* out,
                    int64_t begin, int64_t end, const Finish& finish) {
  Ring<K, S> ring(s);
  int64_t c_end = s.channels, read = begin * S;
  for (int64_t y = begin; y < end; ++y) {
    for (; read < y * S + K; ++read) ring.read(s, image, read);
    const float* rows[K];
    for (int i = 0; i < K; ++i) rows[i] = ring.row(y * S + i);
    for (int64_t tile = 0; tile < s.tiles(); ++tile) {
      int64_t first = tile * kTile, count = std::min<int64_t>(kTile, s.out_columns - first);
      float* to = out + (y * s.out_columns + first) * c_end;
      for (int64_t c = 0; c < c_end; c += kVector) {
        Vector sum[kTile] = {};
        for (int i = 0; i < K; ++i) {
          const float* from = rows[i] + first * S * c_end + c;
          Vector x[(kTile - 1) * S + K];
#pragma GCC unroll 16
          for (int m = 0; m < (kTile - 1) * S + K; ++m) x[m] = at(from + m * c_end);
#pragma GCC unroll 8
          for (int j = 0; j < K; ++j) {
            Vector tap = at(kernel + (i * K + j) * c_end + c);
#pragma GCC unroll 4
            for (int p = 0; p < kTile; ++p) sum[p] += x[p * S + j] * tap;
          }
        }
        if (count == kTile) {
          for (int p = 0; p < kTile; ++p) at(to + p * c_end + c) = sum[p];
        } else {
          for (int p = 0; p < count; ++p) at(to + p * c_end + c) = sum[p];
        }
      }
    }
    finish(out + y * s.out_columns * c_end);
  }
}

// Both gradients in one sweep over the output's gradient g: a tile of four of its pixels
// is loaded once, adds to the kernel's sums and is scattered into a ring of rows of dx,
// which leave the ring when no later row of g can reach them.
template <int K, int S>
void depthwise_image_gradients(const Shape& s, const float* image, const float* kernel,
                               const float* g, float* dx, float* sums) {
  constexpr int reach = (kTile - 1) * S + K;
  Ring<K, S> ring(s), scattered(s);
  int64_t c_end = s.channels, read = 0, written = 0;
  std::vector<float> line(s.tiles() * kTile * c_end);
  std::memset(sums, 0, 4 * K * K * c_end);
  auto write = [&](int64_t until) {
    for (; written < until; ++written) {
      float* row = scattered.row(written);
      int64_t y = written - s.top, n = std::min(s.columns, ring.width - s.left);
      if (y >= 0 && y < s.rows) {
        float* to = dx + y * s.columns * c_end;
        std::memcpy(to, row + s.left * c_end, 4 * n * c_end);
        std::memset(to + n * c_end, 0, 4 * (s.columns - n) * c_end);
      }
      std::memset(row, 0, 4 * ring.width * c_end);
    }
  };
  for (int64_t y = 0; y < s.out_rows; ++y) {
    write(y * S);
    for (; read < y * S + K; ++read) ring.read(s, image, read);
    std::memcpy(line.data(), g + y * s.out_columns * c_end, 4 * s.out_columns * c_end);
    for (int64_t tile = 0; tile < s.tiles(); ++tile) {
      const float* tile_g = line.data() + tile * kTile * c_end;
      for (int64_t c = 0; c < c_end; c += kVector) {
        Vector grad[kTile];
        for (int p = 0; p < kTile; ++p) grad[p] = at(tile_g + p * c_end + c);
        for (int i = 0; i < K; ++i) {
          int64_t offset = tile * kTile * S * c_end + c;
          const float* x = ring.row(y * S + i) + offset;
          float* back = scattered.row(y * S + i) + offset;
          Vector tap[K], sum[K];
#pragma GCC unroll 8
          for (int j = 0; j < K; ++j) {
            tap[j] = at(kernel + (i * K + j) * c_end + c);
            sum[j] = at(sums + (i * K + j) * c_end + c);
          }
#pragma GCC unroll 16
          for (int m = 0; m < reach; ++m) {
            Vector pixel = at(x + m * c_end), total = at(back + m * c_end);
#pragma GCC unroll 8
            for (int j = 0; j < K; ++j) {
              int p = (m - j) / S;
              if (m < j || (m - j) % S || p >= kTile) continue;
              sum[j] += pixel * grad[p];
              total += tap[j] * grad[p];
            }
            at(back + m * c_end) = total;
          }
#pragma GCC unroll 8
          for (int j = 0; j < K; ++j) at(sums + (i * K + j) * c_end + c) = sum[j];
        }
      }
    }
  }
  write(s.top + s.rows);
}

template <typename F>
bool with_kernel(int64_t size, int64_t stride, F f) {
  using std::integral_constant;
  if (stride != 1 && stride != 2) return false;
  auto choose = [&](auto k) {
    if (stride == 1) f(k, integral_constant<int, 1>{});
    else f(k, integral_constant<int, 2>{});
    return true;
  };
  if (size == 3) return choose(integral_constant<int, 3>{});
  if (size == 5) return choose(integral_constant<int, 5>{});
  if (size == 7) return choose(integral_constant<int, 7>{});
  return false;
}

// Bias and activation of a row that has just been written.
template <typename Act>
void finish_row(float* row, const float* bias, int64_t columns, int64_t channels) {
  for (float* end = row + columns * channels; row < end; row += channels)
    for (int64_t c = 0; c < channels; c += kVector)
      at(row + c) = Act::value(at(row + c) + at(bias + c));
}

ffi::Error depthwise(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Result out,
                     int64_t stride, int64_t top, int64_t left, std::string_view act) {
  Shape s = shape_of(x, out->dimensions(), top, left);
  const float* shift = data_or_null(bias);
  decltype(&finish_row<Linear>) finisher = nullptr;
  if (!with_activation(act, [&](auto a) { finisher = finish_row<decltype(a)>; }))
    return unknown("unknown activation");
  auto finish = [&](float* row) {
    if (shift) finisher(row, shift, s.out_columns, s.channels);
  };
  int64_t bands = s.images >= 8 ? 1 : std::min<int64_t>(s.out_rows, 8);
  bool known = with_kernel(kernel.dimensions()[0], stride, [&](auto k, auto step) {
    parallel(pool, s.images * bands, [&](int64_t item) {
      int64_t image = item / bands, band = item % bands;
      depthwise_rows<k(), step()>(
          s, x.typed_data() + image * s.rows * s.columns * s.channels,
          kernel.typed_data(),
          out->typed_data() + image * s.out_rows * s.out_columns * s.channels,
          s.out_rows * band / bands, s.out_rows * (band + 1) / bands, finish);
    });
  });
  return known ? ffi::Error::Success() : unknown("kernel 3, 5 or 7 and stride 1 or 2");
}

ffi::Error depthwise_gradients(ffi::ThreadPool pool, Array x, Array kernel, Array g,
                               Result dx, Result d_kernel, int64_t stride, int64_t top,
                               int64_t left) {
  Shape s = shape_of(x, g.dimensions(), top, left);
  int64_t taps = kernel.element_count();
  std::vector<float> sums(s.images * taps);
  bool known = with_kernel(kernel.dimensions()[0], stride, [&](auto k, auto step) {
    parallel(pool, s.images, [&](int64_t image) {
      int64_t size = s.rows * s.columns * s.channels;
      depthwise_image_gradients<k(), step()>(
          s, x.typed_data() + image * size, kernel.typed_data(),
          g.typed_data() + image * s.out_rows * s.out_columns * s.channels,
          dx->typed_data() + image * size, sums.data() + image * taps);
    });
  });
  float* total = d_kernel->typed_data();
  std::memset(total, 0, 4 * taps);
  for (int64_t image = 0; image < s.images; ++image)
    for (int64_t t = 0; t < taps; ++t) total[t] += sums[image * taps + t];
  return known ? ffi::Error::Success() : unknown("kernel 3, 5 or 7 and stride 1 or 2");
}

// ---- pointwise convolution -------------------------------------------------------------

constexpr int kHeight = 6, kWidth = 2;  // of a tile: 6 rows and 2 vectors fill the registers

// A tile's sums stay in registers over the whole depth; a panel of the kernel, packed so
// that it is read in one stream, serves all rows of an item before the next panel is read.
template <int R, int V, typename Act>
inline void product_tile(const float* x, const float* panel, const float* bias, float* out,
                         int64_t depth, int64_t columns) {
  Vector sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = bias ? at(bias + v * kVector) : Vector{};
  for (int64_t k = 0; k < depth; ++k) {
    Vector w[V];
    for (int v = 0; v < V; ++v) w[v] = at(panel + (k * V + v) * kVector);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] += x[r * depth + k] * w[v];
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v)
      at(out + r * columns + v * kVector) = Act::value(sum[r][v]);
}

ffi::Error pointwise(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Result out,
                     std::string_view act) {
  int64_t depth = kernel.dimensions()[0], columns = kernel.dimensions()[1];
  int64_t rows = x.element_count() / depth, wide = kWidth * kVector;
  const float *w = kernel.typed_data(), *shift = data_or_null(bias);
  std::vector<float> packed(depth * columns);
  for (int64_t c = 0; c < columns; c += wide) {
    int64_t n = std::min(wide, columns - c);
    float* panel = packed.data() + c * depth;
    for (int64_t k = 0; k < depth; ++k)
      std::memcpy(panel + k * n, w + k * columns + c, 4 * n);
  }
  int64_t step = std::min(kChunk / depth, rows / (2 * pool.num_threads()));
  step = std::max<int64_t>(1, step / kHeight) * kHeight;
  bool known = with_activation(act, [&](auto a) {
    using Act = decltype(a);
    parallel(pool, (rows + step - 1) / step, [&](int64_t item) {
      int64_t begin = item * step, end = std::min(rows, begin + step);
      for (int64_t c = 0; c < columns; c += wide) {
        const float *panel = packed.data() + c * depth, *b = shift ? shift + c : nullptr;
        auto tile = [&](auto height, int64_t r) {
          const float* from = x.typed_data() + r * depth;
          float* to = out->typed_data() + r * columns + c;
          if (columns - c >= wide)
            product_tile<height(), kWidth, Act>(from, panel, b, to, depth, columns);
          else
            product_tile<height(), 1, Act>(from, panel, b, to, depth, columns);
        };
        int64_t r = begin;
        for (; r + kHeight <= end; r += kHeight)
          tile(std::integral_constant<int, kHeight>{}, r);
        for (; r < end; ++r) tile(std::integral_constant<int, 1>{}, r);
      }
    });
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

// x^T g: a tile of the result is kept in registers over a block of rows that fits the
// cache; items are long runs of rows, each with sums of its own.
template <int R, int V>
inline void outer_tile(const float* x, const float* g, float* sums, int64_t rows,
                       int64_t depth, int64_t columns) {
  Vector sum[R][V];
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) sum[r][v] = at(sums + r * columns + v * kVector);
  for (int64_t m = 0; m < rows; ++m) {
    Vector w[V];
    for (int v = 0; v < V; ++v) w[v] = at(g + m * columns + v * kVector);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) sum[r][v] += x[m * depth + r] * w[v];
  }
  for (int r = 0; r < R; ++r)
    for (int v = 0; v < V; ++v) at(sums + r * columns + v * kVector) = sum[r][v];
}

ffi::Error pointwise_kernel_gradient(ffi::ThreadPool pool, Array x, Array g, Result out) {
  int64_t depth = out->dimensions()[0], columns = out->dimensions()[1];
  int64_t rows = x.element_count() / depth, size = depth * columns;
  int64_t block = std::max<int64_t>(32, kChunk / (depth + columns));
  int64_t items = std::min<int64_t>(8, (rows + block - 1) / block);
  std::vector<float> sums(items * size);
  parallel(pool, items, [&](int64_t item) {
    float* sum = sums.data() + item * size;
    int64_t last = rows * (item + 1) / items;
    for (int64_t m = rows * item / items; m < last; m += block) {
      int64_t n = std::min(block, last - m);
      const float *from = x.typed_data() + m * depth, *grad = g.typed_data() + m * columns;
      for (int64_t c = 0; c < columns; c += kWidth * kVector) {
        auto tile = [&](auto height, int64_t k) {
          if (columns - c >= kWidth * kVector)
            outer_tile<height(), kWidth>(from + k, grad + c, sum + k * columns + c, n, depth, columns);
          else
            outer_tile<height(), 1>(from + k, grad + c, sum + k * columns + c, n, depth, columns);
        };
        int64_t k = 0;
        for (; k + kHeight <= depth; k += kHeight)
          tile(std::integral_constant<int, kHeight>{}, k);
        for (; k + 2 <= depth; k += 2) tile(std::integral_constant<int, 2>{}, k);
      }
    }
  });
  float* total = out->typed_data();
  int64_t slices = 8;
  parallel(pool, slices, [&](int64_t slice) {
    int64_t a = size * slice / slices, b = size * (slice + 1) / slices;
    std::memset(total + a, 0, 4 * (b - a));
    for (int64_t item = 0; item < items; ++item)
      for (int64_t i = a; i < b; ++i) total[i] += sums[item * size + i];
  });
  return ffi::Error::Success();
}

// ---- batch norm and activation -------------------------------------------------------


// Adds two terms over all rows, per channel; rows are taken by fours, so that the sums,
// which live in the first-level cache, are loaded and stored once for four of them.
template <typename Terms>
void column_sums(ffi::ThreadPool& pool, int64_t rows, int64_t channels, double* totals,
                 const Terms& terms) {
  int64_t step = std::max<int64_t>(4, kChunk / channels / 4 * 4);
  int64_t items = (rows + step - 1) / step;
  std::vector<float> sums(items * 2 * channels);
  parallel(pool, items, [&](int64_t item) {
    float* sum = sums.data() + item * 2 * channels;
    int64_t end = std::min(rows, (item + 1) * step), r = item * step;
    auto add = [&](auto count) {
      for (int64_t c = 0; c < channels; c += kVector) {
        Vector first = at(sum + c), second = at(sum + channels + c);
        for (int n = 0; n < count(); ++n) terms((r + n) * channels + c, c, first, second);
        at(sum + c) = first;
        at(sum + channels + c) = second;
      }
      r += count();
    };
    while (r + 4 <= end) add(std::integral_constant<int, 4>{});
    while (r < end) add(std::integral_constant<int, 1>{});
  });
  for (int64_t item = 0; item < items; ++item)
    for (int64_t c = 0; c < 2 * channels; ++c) totals[c] += sums[item * 2 * channels + c];
}

template <typename Work>
void each_vector(ffi::ThreadPool& pool, int64_t rows, int64_t channels, const Work& work) {
  int64_t step = std::max<int64_t>(1, kChunk / channels);
  parallel(pool, (rows + step - 1) / step, [&](int64_t item) {
    for (int64_t r = item * step; r < std::min(rows, (item + 1) * step); ++r)
      for (int64_t c = 0; c < channels; c += kVector) work(r * channels + c, c);
  });
}

// Two passes: sums of x and its square; then the affine map and the activation at once.
ffi::Error norm(ffi::ThreadPool pool, Array x, Array scale, Array bias, Result y,
                Result mean, Result variance, std::string_view act, float epsilon) {
  int64_t channels = scale.element_count(), rows = x.element_count() / channels;
  const float* in = x.typed_data();
  float* out = y->typed_data();
  std::vector<double> totals(2 * channels);
  column_sums(pool, rows, channels, totals.data(),
              [&](int64_t at_, int64_t, Vector& sum, Vector& square) {
                Vector v = at(in + at_);
                sum += v;
                square += v * v;
              });
  std::vector<float> factor(channels), shift(channels);
  for (int64_t c = 0; c < channels; ++c) {
    double m = totals[c] / rows;
    double v = std::max(totals[channels + c] / rows - m * m, 0.0);
    mean->typed_data()[c] = m;
    variance->typed_data()[c] = v;
    factor[c] = scale.typed_data()[c] / __builtin_sqrt(v + epsilon);
    shift[c] = bias.typed_data()[c] - m * factor[c];
  }
  bool known = with_activation(act, [&](auto a) {
    each_vector(pool, rows, channels, [&](int64_t i, int64_t c) {
      at(out + i) = a.value(at(in + i) * at(&factor[c]) + at(&shift[c]));
    });
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

// Two passes again; the activation's slope is computed anew from x in both, which costs
// less than to write it down.
ffi::Error norm_gradients(ffi::ThreadPool pool, Array x, Array scale, Array bias,
                          Array mean, Array variance, Array g, Result dx, Result d_scale,
                          Result d_bias, std::string_view act, float epsilon) {
  int64_t channels = scale.element_count(), rows = x.element_count() / channels;
  const float *in = x.typed_data(), *grad = g.typed_data();
  float* out = dx->typed_data();
  std::vector<float> factor(channels), shift(channels), slope(channels), offset(channels);
  std::vector<double> totals(2 * channels);
  for (int64_t c = 0; c < channels; ++c) {
    factor[c] = scale.typed_data()[c] / __builtin_sqrt(variance.typed_data()[c] + epsilon);
    shift[c] = bias.typed_data()[c] - mean.typed_data()[c] * factor[c];
  }
  bool known = with_activation(act, [&](auto a) {
    auto gradient = [&](Vector v, int64_t i, int64_t c) {
      return at(grad + i) * a.slope(v * at(&factor[c]) + at(&shift[c]));
    };
    column_sums(pool, rows, channels, totals.data(),
                [&](int64_t i, int64_t c, Vector& sum, Vector& product) {
                  Vector v = at(in + i), z = gradient(v, i, c);
                  sum += z;
                  product += z * v;
                });
    for (int64_t c = 0; c < channels; ++c) {
      double inverse = 1.0 / __builtin_sqrt(variance.typed_data()[c] + epsilon);
      double m = mean.typed_data()[c], sum = totals[c];
      double product = (totals[channels + c] - m * sum) * inverse;
      d_scale->typed_data()[c] = product;
      d_bias->typed_data()[c] = sum;
      slope[c] = -factor[c] * inverse * product / rows;
      offset[c] = -factor[c] * sum / rows - slope[c] * m;
    }
    each_vector(pool, rows, channels, [&](int64_t i, int64_t c) {
      Vector v = at(in + i);
      at(out + i) = gradient(v, i, c) * at(&factor[c]) + v * at(&slope[c]) + at(&offset[c]);
    });
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

}  // namespace

#define IN .Arg<Array>()
#define OUT .Ret<Array>()
#define KERNEL(name, ...)                                      \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(mobilenet_##name, name,        \
                                ffi::Ffi::Bind().Ctx<ffi::ThreadPool>() __VA_ARGS__)
#define WINDOW \
  .Attr<int64_t>("stride").Attr<int64_t>("top").Attr<int64_t>("left")
#define ACT .Attr<std::string_view>("act")
#define EPSILON .Attr<float>("epsilon")

// What JAX calls: arrays in and out, then attributes, in the order of the functions.
KERNEL(depthwise, IN IN IN OUT WINDOW ACT);
KERNEL(depthwise_gradients, IN IN IN OUT OUT WINDOW);
KERNEL(pointwise, IN IN IN OUT ACT);
KERNEL(pointwise_kernel_gradient, IN IN OUT);
KERNEL(norm, IN IN IN OUT OUT OUT ACT EPSILON);
KERNEL(norm_gradients, IN IN IN IN IN IN OUT OUT OUT ACT EPSILON);
