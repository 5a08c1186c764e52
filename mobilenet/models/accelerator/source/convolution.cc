// Full convolution: products of the patches of an image.

#include "norms.h"
#include "patches.h"

namespace {

// Adds the patches of output rows begin ... end to the pixels that they were taken from.
void scatter(const Window& w, const float* patches, float* image, int64_t begin,
             int64_t end) {
  const float* run = patches;
  for (int64_t y = begin; y < end; ++y)
    for (int64_t x = 0; x < w.out_columns; ++x)
      for (int64_t i = 0; i < w.size; ++i, run += w.size * w.channels) {
        int64_t row = y * w.stride + i - w.top, first = x * w.stride - w.left;
        if (row < 0 || row >= w.rows) continue;
        int64_t from = std::clamp<int64_t>(first, 0, w.columns);
        int64_t to = std::clamp<int64_t>(first + w.size, from, w.columns);
        float* at = image + (row * w.columns + from) * w.channels;
        const float* inside = run + (from - first) * w.channels;
        for (int64_t j = 0; j < (to - from) * w.channels; ++j) at[j] += inside[j];
      }
}

ffi::Error conv(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Result out,
                int64_t stride, int64_t top, int64_t left, std::string_view act) {
  Window w(x.dimensions(), kernel.dimensions(), out->dimensions(), stride, top, left);
  Packed packed(kernel.typed_data(), data_or_null(bias), w.depth(), w.features);
  bool known = with_activation(act, [&](auto a) {
    run_products<decltype(a)>(pool, Patches{w, x.typed_data()}, packed, out->typed_data(),
                              [](int64_t, float*, int64_t) {});
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

ffi::Error conv_norm(ffi::ThreadPool pool, Array x, Array kernel, Array scale, Array bias,
                     Result y, Result mean, Result variance, Result before, int64_t stride,
                     int64_t top, int64_t left, std::string_view act, float epsilon) {
  Window w(x.dimensions(), kernel.dimensions(), y->dimensions(), stride, top, left);
  Packed packed(kernel.typed_data(), nullptr, w.depth(), w.features);
  Sums sums(w.images * w.bands(), w.features);
  run_products<Linear>(pool, Patches{w, x.typed_data()}, packed, before->typed_data(),
                       [&](int64_t item, float* out, int64_t pixels) {
                         sums.add_moments(item, out, pixels);
                       });
  return finish_norm(pool, sums, before->typed_data(), w.pixels(), scale, bias, y, mean,
                     variance, act, epsilon);
}

ffi::Error conv_input_gradient(ffi::ThreadPool pool, Array kernel, Array g, Result dx,
                               int64_t stride, int64_t top, int64_t left) {
  Window w(dx->dimensions(), kernel.dimensions(), g.dimensions(), stride, top, left);
  Packed packed = Packed::transposed(pool, kernel.typed_data(), w.features, w.depth());
  parallel(pool, w.images, [&](int64_t n) {
    std::vector<float> patches(w.band() * w.out_columns * w.depth());
    float* image = dx->typed_data() + w.image(n);
    std::fill(image, image + w.image(1), 0.0f);
    for (int64_t y = 0; y < w.out_rows; y += w.band()) {
      int64_t end = std::min(w.out_rows, y + w.band());
      const float* from = g.typed_data() + w.pixel(n, y) * w.features;
      product_block<Linear>(Runs::of(from, w.features), packed, patches.data(),
                            (end - y) * w.out_columns);
      scatter(w, patches.data(), image, y, end);
    }
  });
  return ffi::Error::Success();
}

ffi::Error conv_kernel_gradient(ffi::ThreadPool pool, Array x, Array g, Result out,
                                int64_t stride, int64_t top, int64_t left) {
  Window w(x.dimensions(), out->dimensions(), g.dimensions(), stride, top, left);
  int64_t size = w.depth() * w.features, items = std::min<int64_t>(8, w.images);
  std::unique_ptr<float[]> sums(new float[items * size]);
  Patches patches{w, x.typed_data()};
  parallel(pool, items, [&](int64_t item) {
    float* own = sums.get() + item * size;
    std::fill(own, own + size, 0.0f);
    auto add = [&](const Runs& row, int64_t pixel, int64_t count) {
      outer_block(row, g.typed_data() + pixel * w.features, own, count, w.features);
    };
    for (int64_t n = item; n < w.images; n += items)
      for (int64_t band = 0; band < w.bands(); ++band)
        patches.each(n * w.bands() + band, add);
  });
  add_up(pool, sums.get(), items, size, out->typed_data());
  return ffi::Error::Success();
}

}  // namespace

KERNEL(conv, IN IN IN OUT WINDOW ACT);
KERNEL(conv_norm, IN IN IN IN OUT OUT OUT OUT WINDOW ACT EPSILON);
KERNEL(conv_input_gradient, IN IN OUT WINDOW);
KERNEL(conv_kernel_gradient, IN IN OUT WINDOW);
