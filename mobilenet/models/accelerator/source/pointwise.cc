// Pointwise convolution: the product of (rows, depth) with (depth, columns).

#include "products.h"

namespace {

constexpr int64_t kRows = 48;  // that all tiles divide

ffi::Error pointwise(ffi::ThreadPool pool, Array x, Array kernel, Array bias, Result out,
                     std::string_view act) {
  int64_t depth = kernel.dimensions()[0], columns = kernel.dimensions()[1];
  int64_t rows = x.element_count() / depth;
  Packed packed(kernel.typed_data(), data_or_null(bias), depth, columns);
  int64_t step = std::min(kChunk / depth, rows / (2 * pool.num_threads()));
  step = std::max<int64_t>(1, step / kRows) * kRows;
  bool known = with_activation(act, [&](auto a) {
    parallel(pool, (rows + step - 1) / step, [&](int64_t item) {
      int64_t begin = item * step;
      product_block<decltype(a)>(x.typed_data() + begin * depth, packed,
                                 out->typed_data() + begin * columns,
                                 std::min(step, rows - begin));
    });
  });
  return known ? ffi::Error::Success() : unknown("unknown activation");
}

// Items are long runs of rows, each with sums of its own.
ffi::Error pointwise_kernel_gradient(ffi::ThreadPool pool, Array x, Array g, Result out) {
  int64_t depth = out->dimensions()[0], columns = out->dimensions()[1];
  int64_t rows = x.element_count() / depth, size = depth * columns;
  int64_t block = std::max<int64_t>(32, kChunk / (depth + columns));
  int64_t items = std::min<int64_t>(8, (rows + block - 1) / block);
  std::vector<float> sums(items * size);
  parallel(pool, items, [&](int64_t item) {
    int64_t end = rows * (item + 1) / items;
    for (int64_t m = rows * item / items; m < end; m += block)
      outer_block(x.typed_data() + m * depth, g.typed_data() + m * columns,
                  sums.data() + item * size, std::min(block, end - m), depth, columns);
  });
  add_up(pool, sums.data(), items, size, out->typed_data());
  return ffi::Error::Success();
}

}  // namespace

KERNEL(pointwise, IN IN IN OUT ACT);
KERNEL(pointwise_kernel_gradient, IN IN OUT);
