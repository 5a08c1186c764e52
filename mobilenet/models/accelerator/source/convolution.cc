// Full convolution: the patches of a few output rows are written out side by side, into a
// buffer that stays in the cache, and one product of blocks does the rest.

#include "norms.h"
#include "products.h"

namespace {

constexpr int64_t kPatches = 2 * kChunk;  // floats of patches at a time

struct Window {
  int64_t images, rows, columns, channels;  // of the input
  int64_t out_rows, out_columns, features;
  int64_t size, stride, top, left;

  Window(ffi::Span<const int64_t> x, ffi::Span<const int64_t> kernel,
         ffi::Span<const int64_t> out, int64_t stride, int64_t top, int64_t left)
      : images(x[0]), rows(x[1]), columns(x[2]), channels(x[3]), out_rows(out[1]),
        out_columns(out[2]), features(kernel[3]), size(kernel[0]), stride(stride),
        top(top), left(left) {}

  int64_t depth() const { return size * size * channels; }
  int64_t band() const { return std::max<int64_t>(1, kPatches / (out_columns * depth())); }
  int64_t bands() const { return (out_rows + band() - 1) / band(); }
  int64_t image(int64_t n) const { return n * rows * columns * channels; }
  int64_t pixel(int64_t n, int64_t y) const { return (n * out_rows + y) * out_columns; }

  // Calls f(pixels of the image, place in the patches, floats before the image's edge,
  // floats inside, floats after it) for every kernel row of the patches of output rows
  // begin ... end; nothing is inside in rows above and below the image.
  template <typename F>
  void each_run(int64_t begin, int64_t end, const F& f) const {
    int64_t run = size * channels, place = 0;
    for (int64_t y = begin; y < end; ++y)
      for (int64_t x = 0; x < out_columns; ++x)
        for (int64_t i = 0; i < size; ++i, place += run) {
          int64_t row = y * stride + i - top, first = x * stride - left;
          int64_t from = std::clamp<int64_t>(first, 0, columns);
          int64_t to = std::clamp<int64_t>(first + size, from, columns);
          if (row < 0 || row >= rows) to = from;
          f((row * columns + from) * channels, place, (from - first) * channels,
            (to - from) * channels, (first + size - to) * channels);
        }
  }
};

void gather(const Window& w, const float* image, float* patches, int64_t begin, int64_t end) {
  w.each_run(begin, end, [&](int64_t pixel, int64_t place, int64_t before, int64_t inside,
                             int64_t after) {
    float* to = patches + place;
    std::fill(to, to + before, 0.0f);
    std::copy(image + pixel, image + pixel + inside, to + before);
    std::fill(to + before + inside, to + before + inside + after, 0.0f);
  });
}

void scatter(const Window& w, const float* patches, float* image, int64_t begin, int64_t end) {
  w.each_run(begin, end, [&](int64_t pixel, int64_t place, int64_t before, int64_t inside,
                             int64_t) {
    const float* from = patches + place + before;
    for (int64_t i = 0; i < inside; ++i) image[pixel + i] += from[i];
  });
}

// Act(convolution + bias); finish(item, its output, pixels) is called for each item.
template <typename Act, typename Finish>
void run_conv(ffi::ThreadPool& pool, const Window& w, const float* x, const Packed& kernel,
              float* out, const Finish& finish) {
  parallel(pool, w.images * w.bands(), [&](int64_t item) {
    int64_t n = item / w.bands(), y = item % w.bands() * w.band();
    int64_t end = std::min(w.out_rows, y + w.band()), pixels = (end - y) * w.out_columns;
    std::vector<float> patches(pixels * w.depth());
    gather(w, x + w.image(n), patches.data(), y, end);
    float* to = out + w.pixel(n, y) * w.features;
    product_block<Act>(patches.data(), kernel, to, pixels);
    finish(item, to, pixels);
  });
}

ffi::Error conv(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Result out,
                int64_t stride, int64_t top, int64_t left, std::string_view act) {
  Window w(x.dimensions(), kernel.dimensions(), out->dimensions(), stride, top, left);
  Packed packed(kernel.typed_data(), data_or_null(bias), w.depth(), w.features);
  bool known = with_activation(act, [&](auto a) {
    run_conv<decltype(a)>(pool, w, x.typed_data(), packed, out->typed_data(),
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
  run_conv<Linear>(pool, w, x.typed_data(), packed, before->typed_data(),
                   [&](int64_t item, float* out, int64_t pixels) {
                     sums.add_moments(item, out, pixels);
                   });
  return finish_norm(pool, sums, before->typed_data(),
                     w.images * w.out_rows * w.out_columns, scale, bias, y, mean, variance,
                     act, epsilon);
}

ffi::Error conv_input_gradient(ffi::ThreadPool pool, Array kernel, Array g, Result dx,
                               int64_t stride, int64_t top, int64_t left) {
  Window w(dx->dimensions(), kernel.dimensions(), g.dimensions(), stride, top, left);
  Packed packed = Packed::transposed(kernel.typed_data(), w.features, w.depth());
  parallel(pool, w.images, [&](int64_t n) {
    std::vector<float> patches(w.band() * w.out_columns * w.depth());
    float* image = dx->typed_data() + w.image(n);
    std::fill(image, image + w.image(1), 0.0f);
    for (int64_t y = 0; y < w.out_rows; y += w.band()) {
      int64_t end = std::min(w.out_rows, y + w.band());
      product_block<Linear>(g.typed_data() + w.pixel(n, y) * w.features, packed,
                            patches.data(), (end - y) * w.out_columns);
      scatter(w, patches.data(), image, y, end);
    }
  });
  return ffi::Error::Success();
}

ffi::Error conv_kernel_gradient(ffi::ThreadPool pool, Array x, Array g, Result out,
                                int64_t stride, int64_t top, int64_t left) {
  Window w(x.dimensions(), out->dimensions(), g.dimensions(), stride, top, left);
  int64_t size = w.depth() * w.features, items = std::min<int64_t>(8, w.images);
  std::vector<float> sums(items * size);
  parallel(pool, items, [&](int64_t item) {
    std::vector<float> patches(w.band() * w.out_columns * w.depth());
    for (int64_t n = item; n < w.images; n += items)
      for (int64_t y = 0; y < w.out_rows; y += w.band()) {
        int64_t end = std::min(w.out_rows, y + w.band());
        gather(w, x.typed_data() + w.image(n), patches.data(), y, end);
        outer_block(patches.data(), g.typed_data() + w.pixel(n, y) * w.features,
                    sums.data() + item * size, (end - y) * w.out_columns, w.depth(),
                    w.features);
      }
  });
  add_up(pool, sums.data(), items, size, out->typed_data());
  return ffi::Error::Success();
}

}  // namespace

KERNEL(conv, IN IN IN OUT WINDOW ACT);
KERNEL(conv_norm, IN IN IN IN OUT OUT OUT OUT WINDOW ACT EPSILON);
KERNEL(conv_input_gradient, IN IN OUT WINDOW);
KERNEL(conv_kernel_gradient, IN IN OUT WINDOW);
