// Pointwise convolution: the product of (rows, depth) with (depth, columns); alone, and
// with a batch norm and an activation after it.

#include "norms.h"
#include "products.h"

namespace {

constexpr int64_t kRows = 48;  // that all tiles divide

// Rows whose pixels and results fit a cache, in items enough for many threads.
int64_t rows_of_item(int64_t rows, int64_t depth, int64_t columns) {
  int64_t step = std::min(kChunk / std::max(depth, columns), rows / 16);
  return std::max<int64_t>(1, step / kRows) * kRows;
}

// Act(x w + bias), w packed; finish(item, its output, rows) is called for each item.
template <typename Act, typename Finish>
void run_pointwise(ffi::ThreadPool& pool, const float* x, const Packed& w, float* out,
                   int64_t rows, int64_t step, const Finish& finish) {
  parallel(pool, (rows + step - 1) / step, [&](int64_t item) {
    int64_t begin = item * step, count = std::min(step, rows - begin);
    float* to = out + begin * w.columns;
    product_block<Act>(Runs::of(x + begin * w.depth, w.depth), w, to, count);
    finish(item, to, count);
  });
}

// A kernel gradient is summed by so many items, each with sums of its own.
int64_t summing_items(int64_t size) {
  int64_t items = 32;
  while (items > 8 && items * size > 1 << 20) items /= 2;
  return items;
}

// Rows of such an item at a time: its sums are read and written for each.
int64_t rows_of_sum(int64_t depth, int64_t columns) {
  return std::max(kChunk, depth * columns / 2) / (depth + columns) / 8 * 8 + 48;
}

// total = x^T g; g_rows(first row, rows, buffer) returns rows of g, which it may make in
// the buffer.
template <typename Rows>
void run_kernel_gradient(ffi::ThreadPool& pool, const float* x, float* total, int64_t rows,
                         int64_t depth, int64_t columns, const Rows& g_rows) {
  int64_t size = depth * columns, items = summing_items(size);
  int64_t block = rows_of_sum(depth, columns);
  std::unique_ptr<float[]> sums(new float[items * size]);
  parallel(pool, items, [&](int64_t item) {
    float* own = sums.get() + item * size;
    std::fill(own, own + size, 0.0f);  // here, where they are used next
    std::vector<float> buffer;
    int64_t end = rows * (item + 1) / items;
    for (int64_t m = rows * item / items; m < end; m += block) {
      int64_t count = std::min(block, end - m);
      const float* g = g_rows(m, count, buffer);
      outer_block(Runs::of(x + m * depth, depth), g, own, count, columns);
    }
  });
  add_up(pool, sums.get(), items, size, total);
}

ffi::Error pointwise(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Result out,
                     std::string_view act) {
  int64_t depth = kernel.dimensions()[0], columns = kernel.dimensions()[1];
  int64_t rows = x.element_count() / depth;
  Packed packed(kernel.typed_data(), data_or_null(bias), depth, columns);
  bool known = with_activation(act, [&](auto a) {
    run_pointwise<decltype(a)>(pool, x.typed_data(), packed, out->typed_data(), rows,
                               rows_of_item(rows, depth, columns),
                               [](int64_t, float*, int64_t) {});
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

ffi::Error pointwise_kernel_gradient(ffi::ThreadPool pool, Array x, Array g, Result out) {
  int64_t depth = out->dimensions()[0], columns = out->dimensions()[1];
  run_kernel_gradient(pool, x.typed_data(), out->typed_data(), x.element_count() / depth,
                      depth, columns, [&](int64_t m, int64_t, std::vector<float>&) {
                        return g.typed_data() + m * columns;
                      });
  return ffi::Error::Success();
}

ffi::Error pointwise_norm(ffi::ThreadPool pool, Array x, Array kernel, Array scale,
                          Array bias, Result y, Result mean, Result variance, Result before,
                          std::string_view act, float epsilon) {
  int64_t depth = kernel.dimensions()[0], columns = kernel.dimensions()[1];
  int64_t rows = x.element_count() / depth;
  Packed packed(kernel.typed_data(), nullptr, depth, columns);
  int64_t step = rows_of_item(rows, depth, columns);
  Sums sums((rows + step - 1) / step, columns);
  run_pointwise<Linear>(pool, x.typed_data(), packed, before->typed_data(), rows, step,
                        [&](int64_t item, float* out, int64_t count) {
                          sums.add_moments(item, out, count);
                        });
  return finish_norm(pool, sums, before->typed_data(), rows, scale, bias, y, mean, variance,
                     act, epsilon);
}

// The gradient of what is before the norm is made block by block, and is never written
// down.
ffi::Error pointwise_norm_gradients(ffi::ThreadPool pool, Array x, Array kernel, Array scale,
                                    Array bias, Array mean, Array variance, Array before,
                                    Array g, Result dx, Result d_kernel, Result d_scale,
                                    Result d_bias, std::string_view act, float epsilon) {
  int64_t depth = kernel.dimensions()[0], columns = kernel.dimensions()[1];
  int64_t rows = x.element_count() / depth;
  Norm norm(scale.typed_data(), bias.typed_data(), mean.typed_data(),
            variance.typed_data(), epsilon, columns);
  Packed packed = Packed::transposed(pool, kernel.typed_data(), columns, depth);
  bool known = with_activation(act, [&](auto a) {
    NormGradient<decltype(a)> gradient(pool, norm, mean.typed_data(), before.typed_data(),
                                       g.typed_data(), rows, d_scale->typed_data(),
                                       d_bias->typed_data());
    run_kernel_gradient(
        pool, x.typed_data(), d_kernel->typed_data(), rows, depth, columns,
        [&](int64_t m, int64_t count, std::vector<float>& d) {
          d.resize(count * columns);
          int64_t i = m * columns;
          gradient.rows(before.typed_data() + i, g.typed_data() + i, d.data(), count);
          product_block<Linear>(Runs::of(d.data(), columns), packed,
                                dx->typed_data() + m * depth, count);
          return static_cast<const float*>(d.data());
        });
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

}  // namespace

KERNEL(pointwise, IN IN IN OUT ACT);
KERNEL(pointwise_kernel_gradient, IN IN OUT);
KERNEL(pointwise_norm, IN IN IN IN OUT OUT OUT OUT ACT EPSILON);
KERNEL(pointwise_norm_gradients, IN IN IN IN IN IN IN IN OUT OUT OUT OUT ACT EPSILON);
