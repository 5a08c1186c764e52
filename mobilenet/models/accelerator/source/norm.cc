// Batch norm with the activation after it, forward and gradients.

#include "common.h"

namespace {

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
      each_channel(channels, [&](int64_t c, auto lane) {
        typename decltype(lane)::V first = lane.at(sum + c), second = lane.at(sum + channels + c);
        for (int n = 0; n < count(); ++n)
          terms(lane, (r + n) * channels + c, c, first, second);
        lane.at(sum + c) = first;
        lane.at(sum + channels + c) = second;
      });
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
      each_channel(channels,
                   [&](int64_t c, auto lane) { work(lane, r * channels + c, c); });
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
              [&](auto lane, int64_t i, int64_t, auto& sum, auto& square) {
                auto v = lane.at(in + i);
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
    each_vector(pool, rows, channels, [&](auto lane, int64_t i, int64_t c) {
      lane.at(out + i) = a.value(lane.at(in + i) * lane.at(&factor[c]) + lane.at(&shift[c]));
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
    auto gradient = [&](auto lane, auto v, int64_t i, int64_t c) {
      return lane.at(grad + i) * a.slope(v * lane.at(&factor[c]) + lane.at(&shift[c]));
    };
    column_sums(pool, rows, channels, totals.data(),
                [&](auto lane, int64_t i, int64_t c, auto& sum, auto& product) {
                  auto v = lane.at(in + i), z = gradient(lane, v, i, c);
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
    each_vector(pool, rows, channels, [&](auto lane, int64_t i, int64_t c) {
      auto v = lane.at(in + i);
      lane.at(out + i) = gradient(lane, v, i, c) * lane.at(&factor[c]) +
                         v * lane.at(&slope[c]) + lane.at(&offset[c]);
    });
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

}  // namespace

KERNEL(norm, IN IN IN OUT OUT OUT ACT EPSILON);
KERNEL(norm_gradients, IN IN IN IN IN IN OUT OUT OUT ACT EPSILON);
