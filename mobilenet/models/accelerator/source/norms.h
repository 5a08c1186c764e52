// Batch norm with the activation after it, in the parts that fused kernels share.
//
// Forward, y = Act(x * factor + shift), two parts: sums of x and of its square, then the
// map. Backward two as well: sums of z = g * slope and of z * x, then the gradient
// z * factor + x * slope + offset. The activation's slope is computed anew from x in both,
// which costs less than to write it down.

#pragma once

#include "common.h"

namespace {

// Adds two terms per channel over rows begin ... end to sum[0 ... 2 * channels]. Rows are
// taken by fours, so that the sums, which live in the first-level cache, are loaded and
// stored once for four of them.
template <typename Terms>
inline void add_rows(int64_t begin, int64_t end, int64_t channels, float* sum,
                     const Terms& terms) {
  auto add = [&](auto count) {
    each_channel(channels, [&](int64_t c, auto lane) {
      typename decltype(lane)::V first = lane.at(sum + c), second = lane.at(sum + channels + c);
      for (int n = 0; n < count(); ++n)
        terms(lane, (begin + n) * channels + c, c, first, second);
      lane.at(sum + c) = first;
      lane.at(sum + channels + c) = second;
    });
    begin += count();
  };
  while (begin + 4 <= end) add(std::integral_constant<int, 4>{});
  while (begin < end) add(std::integral_constant<int, 1>{});
}

// Two sums per channel for each item.
struct Sums {
  int64_t items, channels;
  std::vector<float> data;

  Sums(int64_t items, int64_t channels)
      : items(items), channels(channels), data(items * 2 * channels) {}

  float* item(int64_t n) { return data.data() + n * 2 * channels; }

  // Of x and its square, over rows of x.
  void add_moments(int64_t n, const float* x, int64_t rows) {
    add_rows(0, rows, channels, item(n),
             [&](auto lane, int64_t i, int64_t, auto& sum, auto& square) {
               auto v = lane.at(x + i);
               sum += v;
               square += v * v;
             });
  }

  std::vector<double> totals() {
    std::vector<double> total(2 * channels);
    for (int64_t n = 0; n < items; ++n)
      for (int64_t c = 0; c < 2 * channels; ++c) total[c] += item(n)[c];
    return total;
  }
};

// Rows in parts that fit a cache; how many depends on shapes only.
struct Parts {
  int64_t rows, step;

  Parts(int64_t rows, int64_t channels)
      : rows(rows), step(std::max<int64_t>(4, kChunk / channels / 4 * 4)) {}

  int64_t items() const { return (rows + step - 1) / step; }

  // Calls work(item, first row, rows).
  template <typename Work>
  void each(ffi::ThreadPool& pool, const Work& work) const {
    parallel(pool, items(), [&](int64_t item) {
      work(item, item * step, std::min(step, rows - item * step));
    });
  }
};

template <typename Work>
inline void each_vector(int64_t rows, int64_t channels, const Work& work) {
  for (int64_t r = 0; r < rows; ++r)
    each_channel(channels,
                 [&](int64_t c, auto lane) { work(lane, r * channels + c, c); });
}

struct Norm {
  int64_t channels;
  std::vector<float> factor, shift;
  std::vector<double> inverse;  // of the standard deviation

  Norm(const float* scale, const float* bias, const float* mean, const float* variance,
       float epsilon, int64_t channels)
      : channels(channels), factor(channels), shift(channels), inverse(channels) {
    for (int64_t c = 0; c < channels; ++c) {
      inverse[c] = 1.0 / __builtin_sqrt(variance[c] + epsilon);
      factor[c] = scale[c] * inverse[c];
      shift[c] = bias[c] - mean[c] * factor[c];
    }
  }

  template <typename Act>
  void apply(ffi::ThreadPool& pool, const float* x, float* y, int64_t rows) const {
    Parts(rows, channels).each(pool, [&](int64_t, int64_t begin, int64_t count) {
      const float* from = x + begin * channels;
      float* to = y + begin * channels;
      each_vector(count, channels, [&](auto lane, int64_t i, int64_t c) {
        lane.at(to + i) = Act::value(lane.at(from + i) * lane.at(&factor[c]) + lane.at(&shift[c]));
      });
    });
  }
};

// Mean and biased variance from the totals of x and its square over so many rows.
inline void moments(const std::vector<double>& totals, int64_t rows, float* mean,
                    float* variance) {
  int64_t channels = totals.size() / 2;
  for (int64_t c = 0; c < channels; ++c) {
    double m = totals[c] / rows;
    mean[c] = m;
    variance[c] = std::max(totals[channels + c] / rows - m * m, 0.0);
  }
}

// The second part of a norm, when the sums of x are there.
inline ffi::Error finish_norm(ffi::ThreadPool& pool, Sums& sums, const float* x, int64_t rows,
                              const Array& scale, const Array& bias, Result y, Result mean,
                              Result variance, std::string_view act, float epsilon) {
  moments(sums.totals(), rows, mean->typed_data(), variance->typed_data());
  Norm norm(scale.typed_data(), bias.typed_data(), mean->typed_data(),
            variance->typed_data(), epsilon, sums.channels);
  bool known = with_activation(
      act, [&](auto a) { norm.apply<decltype(a)>(pool, x, y->typed_data(), rows); });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

// The gradient of x from that of the activated y.
template <typename Act>
struct NormGradient {
  const Norm& norm;
  std::vector<float> slope, offset;

  // Reads x and g (rows, channels); writes the gradients of scale and bias.
  NormGradient(ffi::ThreadPool& pool, const Norm& norm, const float* mean, const float* x,
               const float* g, int64_t rows, float* d_scale, float* d_bias)
      : norm(norm), slope(norm.channels), offset(norm.channels) {
    int64_t channels = norm.channels;
    Parts parts(rows, channels);
    Sums sums(parts.items(), channels);
    parts.each(pool, [&](int64_t item, int64_t begin, int64_t count) {
      add_rows(begin, begin + count, channels, sums.item(item),
               [&](auto lane, int64_t i, int64_t c, auto& sum, auto& product) {
                 auto v = lane.at(x + i), z = activated(lane, v, g + i, c);
                 sum += z;
                 product += z * v;
               });
    });
    auto totals = sums.totals();
    for (int64_t c = 0; c < channels; ++c) {
      double inverse = norm.inverse[c], m = mean[c], sum = totals[c];
      double product = (totals[channels + c] - m * sum) * inverse;
      d_scale[c] = product;
      d_bias[c] = sum;
      slope[c] = -norm.factor[c] * inverse * product / rows;
      offset[c] = -norm.factor[c] * sum / rows - slope[c] * m;
    }
  }

  template <typename Lane>
  auto activated(Lane lane, typename Lane::V x, const float* g, int64_t c) const {
    return lane.at(g) * Act::slope(x * lane.at(&norm.factor[c]) + lane.at(&norm.shift[c]));
  }

  // d = the gradient of some rows of x.
  void rows(const float* x, const float* g, float* d, int64_t count) const {
    each_vector(count, norm.channels, [&](auto lane, int64_t i, int64_t c) {
      auto v = lane.at(x + i);
      lane.at(d + i) = activated(lane, v, g + i, c) * lane.at(&norm.factor[c]) +
                       v * lane.at(&slope[c]) + lane.at(&offset[c]);
    });
  }
};

}  // namespace
