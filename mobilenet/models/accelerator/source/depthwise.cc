// Depthwise convolution, forward and both gradients; alone, and with a batch norm and an
// activation after it.

#include "norms.h"

namespace {

constexpr int kTile = 4;  // output pixels that share what is loaded

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

// A tile of four pixels of one output row and a vector of channels stays in registers over
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
      each_channel(c_end, [&](int64_t c, auto lane) {
        using L = decltype(lane);
        typename L::V sum[kTile] = {};
        for (int i = 0; i < K; ++i) {
          const float* from = rows[i] + first * S * c_end + c;
          typename L::V x[(kTile - 1) * S + K];
#pragma GCC unroll 16
          for (int m = 0; m < (kTile - 1) * S + K; ++m) x[m] = L::at(from + m * c_end);
#pragma GCC unroll 8
          for (int j = 0; j < K; ++j) {
            typename L::V tap = L::at(kernel + (i * K + j) * c_end + c);
#pragma GCC unroll 4
            for (int p = 0; p < kTile; ++p) sum[p] += x[p * S + j] * tap;
          }
        }
        if (count == kTile) {
          for (int p = 0; p < kTile; ++p) L::at(to + p * c_end + c) = sum[p];
        } else {
          for (int p = 0; p < count; ++p) L::at(to + p * c_end + c) = sum[p];
        }
      });
    }
    finish(out + y * s.out_columns * c_end);
  }
}

// Both gradients in one sweep over the output's gradient g: a tile of four of its pixels
// is loaded once, adds to the kernel's sums and is scattered into a ring of rows of dx,
// which leave the ring when no later row of g can reach them. g_row(y, to) writes row y
// of g.
template <int K, int S, typename Row>
void depthwise_image_gradients(const Shape& s, const float* image, const float* kernel,
                               const Row& g_row, float* dx, float* sums) {
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
    g_row(y, line.data());
    for (int64_t tile = 0; tile < s.tiles(); ++tile) {
      const float* tile_g = line.data() + tile * kTile * c_end;
      each_channel(c_end, [&](int64_t c, auto lane) {
        using L = decltype(lane);
        typename L::V grad[kTile];
        for (int p = 0; p < kTile; ++p) grad[p] = L::at(tile_g + p * c_end + c);
        for (int i = 0; i < K; ++i) {
          int64_t offset = tile * kTile * S * c_end + c;
          const float* x = ring.row(y * S + i) + offset;
          float* back = scattered.row(y * S + i) + offset;
          typename L::V tap[K], sum[K];
#pragma GCC unroll 8
          for (int j = 0; j < K; ++j) {
            tap[j] = L::at(kernel + (i * K + j) * c_end + c);
            sum[j] = L::at(static_cast<const float*>(sums) + (i * K + j) * c_end + c);
          }
#pragma GCC unroll 16
          for (int m = 0; m < reach; ++m) {
            typename L::V pixel = L::at(x + m * c_end), total = L::at(back + m * c_end);
#pragma GCC unroll 8
            for (int j = 0; j < K; ++j) {
              int p = (m - j) / S;
              if (m < j || (m - j) % S || p >= kTile) continue;
              sum[j] += pixel * grad[p];
              total += tap[j] * grad[p];
            }
            L::at(back + m * c_end) = total;
          }
#pragma GCC unroll 8
          for (int j = 0; j < K; ++j) L::at(sums + (i * K + j) * c_end + c) = sum[j];
        }
      });
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
    each_channel(channels, [&](int64_t c, auto lane) {
      lane.at(row + c) = Act::value(lane.at(row + c) + lane.at(bias + c));
    });
}

int64_t bands_of(const Shape& s) {
  return s.images >= 8 ? 1 : std::min<int64_t>(s.out_rows, 8);
}

// finish(item, row) is called for each row of the output that has just been written.
template <typename Finish>
bool run_depthwise(ffi::ThreadPool& pool, const Shape& s, const float* x, const Array& kernel,
                   float* out, int64_t stride, const Finish& finish) {
  int64_t bands = bands_of(s);
  return with_kernel(kernel.dimensions()[0], stride, [&](auto k, auto step) {
    parallel(pool, s.images * bands, [&](int64_t item) {
      int64_t image = item / bands, band = item % bands;
      depthwise_rows<k(), step()>(s, x + image * s.rows * s.columns * s.channels,
                                  kernel.typed_data(),
                                  out + image * s.out_rows * s.out_columns * s.channels,
                                  s.out_rows * band / bands, s.out_rows * (band + 1) / bands,
                                  [&](float* row) { finish(item, row); });
    });
  });
}

// g_row(image, y, to) writes row y of an image of g.
template <typename Row>
bool run_gradients(ffi::ThreadPool& pool, const Shape& s, const float* x, const Array& kernel,
                   float* dx, float* d_kernel, int64_t stride, const Row& g_row) {
  int64_t taps = kernel.element_count();
  std::vector<float> sums(s.images * taps);
  bool known = with_kernel(kernel.dimensions()[0], stride, [&](auto k, auto step) {
    parallel(pool, s.images, [&](int64_t image) {
      int64_t size = s.rows * s.columns * s.channels;
      depthwise_image_gradients<k(), step()>(
          s, x + image * size, kernel.typed_data(),
          [&](int64_t y, float* to) { g_row(image, y, to); }, dx + image * size,
          sums.data() + image * taps);
    });
  });
  add_up(pool, sums.data(), s.images, taps, d_kernel);
  return known;
}

ffi::Error told(bool known) {
  return known ? ffi::Error::Success() : unknown("kernel 3, 5 or 7 and stride 1 or 2");
}

ffi::Error depthwise(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Result out,
                     int64_t stride, int64_t top, int64_t left, std::string_view act) {
  Shape s = shape_of(x, out->dimensions(), top, left);
  const float* shift = data_or_null(bias);
  decltype(&finish_row<Linear>) finisher = nullptr;
  if (!with_activation(act, [&](auto a) { finisher = finish_row<decltype(a)>; }))
    return unknown("unknown activation");
  return told(run_depthwise(pool, s, x.typed_data(), kernel, out->typed_data(), stride,
                            [&](int64_t, float* row) {
                              if (shift) finisher(row, shift, s.out_columns, s.channels);
                            }));
}

ffi::Error depthwise_gradients(ffi::ThreadPool pool, Array x, Array kernel, Array g,
                               Result dx, Result d_kernel, int64_t stride, int64_t top,
                               int64_t left) {
  Shape s = shape_of(x, g.dimensions(), top, left);
  int64_t row = s.out_columns * s.channels;
  return told(run_gradients(pool, s, x.typed_data(), kernel, dx->typed_data(),
                            d_kernel->typed_data(), stride,
                            [&](int64_t image, int64_t y, float* to) {
                              const float* from = g.typed_data() + (image * s.out_rows + y) * row;
                              std::memcpy(to, from, 4 * row);
                            }));
}

ffi::Error depthwise_norm(ffi::ThreadPool pool, Array x, Array kernel, Array scale,
                          Array bias, Result y, Result mean, Result variance, Result before,
                          int64_t stride, int64_t top, int64_t left, std::string_view act,
                          float epsilon) {
  Shape s = shape_of(x, y->dimensions(), top, left);
  Sums sums(s.images * bands_of(s), s.channels);
  bool known = run_depthwise(pool, s, x.typed_data(), kernel, before->typed_data(), stride,
                             [&](int64_t item, float* row) {
                               sums.add_moments(item, row, s.out_columns);
                             });
  if (!known) return told(known);
  return finish_norm(pool, sums, before->typed_data(), s.images * s.out_rows * s.out_columns,
                     scale, bias, y, mean, variance, act, epsilon);
}

// The gradient of what is before the norm is made row by row, and is never written down.
ffi::Error depthwise_norm_gradients(ffi::ThreadPool pool, Array x, Array kernel, Array scale,
                                    Array bias, Array mean, Array variance, Array before,
                                    Array g, Result dx, Result d_kernel, Result d_scale,
                                    Result d_bias, int64_t stride, int64_t top, int64_t left,
                                    std::string_view act, float epsilon) {
  Shape s = shape_of(x, g.dimensions(), top, left);
  Norm norm(scale.typed_data(), bias.typed_data(), mean.typed_data(),
            variance.typed_data(), epsilon, s.channels);
  bool known = false;
  with_activation(act, [&](auto a) {
    NormGradient<decltype(a)> gradient(
        pool, norm, mean.typed_data(), before.typed_data(), g.typed_data(),
        s.images * s.out_rows * s.out_columns, d_scale->typed_data(), d_bias->typed_data());
    known = run_gradients(pool, s, x.typed_data(), kernel, dx->typed_data(),
                          d_kernel->typed_data(), stride,
                          [&](int64_t image, int64_t y, float* to) {
                            int64_t i = (image * s.out_rows + y) * s.out_columns * s.channels;
                            gradient.rows(before.typed_data() + i, g.typed_data() + i, to,
                                          s.out_columns);
                          });
  });
  return told(known);
}

}  // namespace

KERNEL(depthwise, IN IN IN OUT WINDOW ACT);
KERNEL(depthwise_gradients, IN IN IN OUT OUT WINDOW);
KERNEL(depthwise_norm, IN IN IN IN OUT OUT OUT OUT WINDOW ACT EPSILON);
KERNEL(depthwise_norm_gradients,
       IN IN IN IN IN IN IN IN OUT OUT OUT OUT WINDOW ACT EPSILON);
