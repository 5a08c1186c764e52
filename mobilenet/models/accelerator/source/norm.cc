// Batch norm with the activation after it, forward and gradients.

#include "norms.h"

namespace {

ffi::Error norm(ffi::ThreadPool pool, Array x, Array scale, Array bias, Result y,
                Result mean, Result variance, std::string_view act, float epsilon) {
  int64_t channels = scale.element_count(), rows = x.element_count() / channels;
  Parts parts(rows, channels);
  Sums sums(parts.items(), channels);
  parts.each(pool, [&](int64_t item, int64_t begin, int64_t count) {
    sums.add_moments(item, x.typed_data() + begin * channels, count);
  });
  return finish_norm(pool, sums, x.typed_data(), rows, scale, bias, y, mean, variance, act,
                     epsilon);
}

ffi::Error norm_gradients(ffi::ThreadPool pool, Array x, Array scale, Array bias,
                          Array mean, Array variance, Array g, Result dx, Result d_scale,
                          Result d_bias, std::string_view act, float epsilon) {
  int64_t channels = scale.element_count(), rows = x.element_count() / channels;
  Norm map(scale.typed_data(), bias.typed_data(), mean.typed_data(), variance.typed_data(),
           epsilon, channels);
  bool known = with_activation(act, [&](auto a) {
    NormGradient<decltype(a)> gradient(pool, map, mean.typed_data(), x.typed_data(),
                                       g.typed_data(), rows, d_scale->typed_data(),
                                       d_bias->typed_data());
    Parts(rows, channels).each(pool, [&](int64_t, int64_t begin, int64_t count) {
      int64_t i = begin * channels;
      gradient.rows(x.typed_data() + i, g.typed_data() + i, dx->typed_data() + i, count);
    });
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

}  // namespace

// For who chooses among kernels: floats in a vector that takes no longer than others.
extern "C" const int mobilenet_vector = kWide;

KERNEL(norm, IN IN IN OUT OUT OUT ACT EPSILON);
KERNEL(norm_gradients, IN IN IN IN IN IN OUT OUT OUT ACT EPSILON);
