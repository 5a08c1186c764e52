// The patches of a full convolution, where they lie in an image with its padding.

#pragma once

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
  int64_t pixels() const { return images * out_rows * out_columns; }
  int64_t band() const { return std::max<int64_t>(1, kPatches / (out_columns * depth())); }
  int64_t bands() const { return (out_rows + band() - 1) / band(); }
  int64_t image(int64_t n) const { return n * rows * columns * channels; }
  int64_t pixel(int64_t n, int64_t y) const { return (n * out_rows + y) * out_columns; }
};

// Of a whole batch, in items of some output rows. Their rows of the image are copied once,
// with zeros around, so that no patch asks whether it is inside; a patch is then a run of
// floats for each kernel row.
struct Patches {
  const Window& w;
  const float* x;

  int64_t items() const { return w.images * w.bands(); }
  int64_t depth() const { return w.depth(); }
  int64_t pixels() const { return w.pixels(); }

  // Calls f(patches of an output row, its first pixel, its pixels).
  template <typename F>
  void each(int64_t item, const F& f) const {
    int64_t n = item / w.bands(), begin = item % w.bands() * w.band();
    int64_t end = std::min(w.out_rows, begin + w.band());
    int64_t first = begin * w.stride, count = (end - begin - 1) * w.stride + w.size;
    int64_t width = ((w.out_columns - 1) * w.stride + w.size) * w.channels;
    int64_t left = w.left * w.channels;
    int64_t inside = std::min(w.columns * w.channels, width - left);
    std::vector<float> padded(count * width + kWide);  // a vector may be read past the end
    for (int64_t i = 0; i < count; ++i) {
      int64_t row = first + i - w.top;
      if (row < 0 || row >= w.rows) continue;
      const float* from = x + w.image(n) + row * w.columns * w.channels;
      std::copy(from, from + inside, padded.begin() + i * width + left);
    }
    for (int64_t y = begin; y < end; ++y) {
      const float* at = padded.data() + (y - begin) * w.stride * width;
      f(Runs{at, w.stride * w.channels, w.size * w.channels, w.size, width}, w.pixel(n, y),
        w.out_columns);
    }
  }
};

// Act(x w + bias) of an input's pixels; finish(item, its output, pixels) is called for each
// part of it that has just been written.
template <typename Act, typename To = Cached, typename Input, typename Finish>
void run_products(ffi::ThreadPool& pool, const Input& input, const Packed& w, float* out,
                  const Finish& finish) {
  parallel(pool, input.items(), [&](int64_t item) {
    input.each(item, [&](const Runs& x, int64_t pixel, int64_t count) {
      float* to = out + pixel * w.columns;
      product_block<Act, To>(x, w, to, count);
      finish(item, to, count);
    });
    To::flush();
  });
}

}  // namespace
