// split_float(source, top, bits): writes float32 numbers as bfloat16 ones and the 16 bits that those lack.
// cat_float(top, bits, out): writes the float32 numbers of both.
//
// The 32 bits of a float32 number are those of the nearest bfloat16 number, times 2^16, plus a difference that 16 bits hold:
//
//   1.00390625 + 2^-20     0x3f808008 = 0x3f81 * 2^16 - 0x7ff8     top = 1.0078125, bits = -0x7ff8
//
// Halves round away from zero. To even, the difference of a half would be 0x8000 or -0x8000, one value too many.
//
//   source, out  f32, any shape and strides; a NaN becomes the NaN 0x7fc0 in `top`
//   top          bf16, same shape. Somebody may have written to it since it was split. Zero less a difference is the pattern
//                of a NaN: where `top` is none, its own value is the result
//   bits         i16, same shape; may be missing in split_float
//   errors       E101, E102, E103; RuntimeError when a tensor that is written overlaps with itself or another one
//   gradients    none
#include <ATen/ATen.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/library.h>

#include "aten/twin.h"
#include "core/check.h"
#include "core/profile.h"
#include "core/target_clones.h"
#include "custom_ops/call.h"
#include "custom_ops/gradients.h"

namespace ipex::custom_ops {

namespace {

using OptionalTensor = std::optional<at::Tensor>;

constexpr const char* kSplit = "torch_ipex::split_float";
constexpr const char* kCat = "torch_ipex::cat_float";

inline bool is_nan(uint32_t pattern) {
  return (pattern & 0x7fffffff) > 0x7f800000;
}

inline uint16_t rounded(uint32_t pattern) {
  return is_nan(pattern) ? 0x7fc0 : (pattern + 0x8000) >> 16;
}

IPEX_TARGET_CLONES void round_run(const uint32_t* source, uint16_t* top, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    top[i] = rounded(source[i]);
}

IPEX_TARGET_CLONES void split_run(
    const uint32_t* source,
    uint16_t* __restrict top,
    uint16_t* __restrict bits,
    int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    top[i] = rounded(source[i]);
    bits[i] = static_cast<uint16_t>(source[i]); // the lower half, which is the difference as int16 reads it
  }
}

IPEX_TARGET_CLONES void cat_run(const uint16_t* top, const int16_t* bits, uint32_t* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t high = static_cast<uint32_t>(top[i]) << 16;
    const uint32_t pattern = high + static_cast<uint32_t>(static_cast<int32_t>(bits[i]));
    out[i] = is_nan(pattern) && !is_nan(high) ? high : pattern;
  }
}

void check_tensor(
    const char* op,
    const char* name,
    const at::Tensor& tensor,
    at::ScalarType dtype,
    const at::Tensor& top) {
  IPEX_CHECK(
      tensor.scalar_type() == dtype, E101, op, "got ", name, " of ", tensor.scalar_type(), "; accepted: ", dtype);
  IPEX_CHECK(
      tensor.sym_sizes() == top.sym_sizes(),
      E103,
      op,
      "got ",
      name,
      " of ",
      tensor.sym_sizes(),
      "; accepted: ",
      top.sym_sizes(),
      ", as top");
}

void check(
    const char* op,
    const char* name,
    const at::Tensor& number,
    const at::Tensor& top,
    const OptionalTensor& bits) {
  check_devices(op, {number, top, defined(bits)});
  check_tensor(op, "top", top, at::kBFloat16, top);
  check_tensor(op, name, number, at::kFloat, top);
  if (bits)
    check_tensor(op, "bits", *bits, at::kShort, top);
}

bool lies_as(const at::Tensor& tensor, const at::Tensor& dense) {
  return tensor.strides() == dense.strides() || (tensor.is_contiguous() && dense.is_contiguous());
}

// `tensor`, or a copy that lies as `dense`.
at::Tensor read_as(const at::Tensor& tensor, const at::Tensor& dense) {
  return lies_as(tensor, dense) ? tensor : at::empty_like(dense, tensor.options()).copy_(tensor);
}

// What the loops write for `tensor`, which is copied there by `finish`: itself if it fills a stretch of memory.
at::Tensor dense_for(const at::Tensor& tensor) {
  return tensor.is_non_overlapping_and_dense() ? tensor : at::empty_like(tensor);
}

void finish(const at::Tensor& tensor, const at::Tensor& made) {
  if (!tensor.is_same(made))
    tensor.copy_(made);
}

template <class Run>
void for_runs(const char* name, int64_t count, const Run& run) {
  const profile::Kernel profiled(name);
  at::parallel_for(0, count, at::internal::GRAIN_SIZE, [&](int64_t begin, int64_t end) { run(begin, end - begin); });
}

void split_on_cpu(const at::Tensor& source, const at::Tensor& top, const at::Tensor& bits) {
  at::assert_no_internal_overlap(top);
  at::assert_no_overlap(top, source);
  if (bits.defined()) {
    at::assert_no_internal_overlap(bits);
    at::assert_no_overlap(bits, source);
    at::assert_no_overlap(bits, top);
  }
  const at::Tensor to = dense_for(top), from = read_as(source, to);
  const auto* numbers = static_cast<const uint32_t*>(from.const_data_ptr());
  auto* tops = static_cast<uint16_t*>(to.mutable_data_ptr());
  if (!bits.defined()) {
    for_runs("split_float", from.numel(), [&](int64_t first, int64_t count) {
      round_run(numbers + first, tops + first, count);
    });
    return finish(top, to);
  }
  const at::Tensor difference = lies_as(bits, to) ? bits : at::empty_like(to, bits.options());
  auto* differences = static_cast<uint16_t*>(difference.mutable_data_ptr());
  for_runs("split_float", from.numel(), [&](int64_t first, int64_t count) {
    split_run(numbers + first, tops + first, differences + first, count);
  });
  finish(top, to);
  finish(bits, difference);
}

void cat_on_cpu(const at::Tensor& top, const at::Tensor& bits, const at::Tensor& out) {
  at::assert_no_internal_overlap(out);
  at::assert_no_overlap(out, top);
  at::assert_no_overlap(out, bits);
  const at::Tensor to = dense_for(out), high = read_as(top, to), low = read_as(bits, to);
  const auto* tops = static_cast<const uint16_t*>(high.const_data_ptr());
  const auto* differences = static_cast<const int16_t*>(low.const_data_ptr());
  auto* numbers = static_cast<uint32_t*>(to.mutable_data_ptr());
  for_runs("cat_float", to.numel(), [&](int64_t first, int64_t count) {
    cat_run(tops + first, differences + first, numbers + first, count);
  });
  finish(out, to);
}

void split_float(const at::Tensor& source, const at::Tensor& top, const OptionalTensor& bits) {
  check(kSplit, "source", source, top, bits);
  TwinCall call(kSplit, /*with_requires_grad=*/false);
  const at::Tensor read = call.twin(source, /*written=*/false), written = call.twin(top, /*written=*/true);
  split_on_cpu(read, written, bits ? call.twin(*bits, /*written=*/true) : at::Tensor());
  call.bring_back();
}

void split_float_meta(const at::Tensor& source, const at::Tensor& top, const OptionalTensor& bits) {
  check(kSplit, "source", source, top, bits);
}

void cat_float(const at::Tensor& top, const at::Tensor& bits, const at::Tensor& out) {
  check(kCat, "out", out, top, bits);
  TwinCall call(kCat, /*with_requires_grad=*/false);
  const at::Tensor high = call.twin(top, /*written=*/false), low = call.twin(bits, /*written=*/false);
  cat_on_cpu(high, low, call.twin(out, /*written=*/true));
  call.bring_back();
}

void cat_float_meta(const at::Tensor& top, const at::Tensor& bits, const at::Tensor& out) {
  check(kCat, "out", out, top, bits);
}

const auto& split_handle() {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("torch_ipex::split_float", "").typed<decltype(split_float)>();
  return op;
}

const auto& cat_handle() {
  static const auto op =
      c10::Dispatcher::singleton().findSchemaOrThrow("torch_ipex::cat_float", "").typed<decltype(cat_float)>();
  return op;
}

// Autograd counts writes: tensors that it saved for backward are not to be written.
void split_float_counted(
    c10::DispatchKeySet keys,
    const at::Tensor& source,
    const at::Tensor& top,
    const OptionalTensor& bits) {
  split_handle().redispatch(keys & c10::after_ADInplaceOrView_keyset, source, top, bits);
  torch::autograd::impl::bump_version(top);
  if (bits)
    torch::autograd::impl::bump_version(*bits);
}

void cat_float_counted(c10::DispatchKeySet keys, const at::Tensor& top, const at::Tensor& bits, const at::Tensor& out) {
  cat_handle().redispatch(keys & c10::after_ADInplaceOrView_keyset, top, bits, out);
  torch::autograd::impl::bump_version(out);
}

void refuse_gradients(const char* op, const at::Tensor& number, const at::Tensor& top) {
  IPEX_CHECK(
      !needs_gradients({&number, &top}) && !has_tangent(number) && !has_tangent(top),
      E103,
      op,
      "got a tensor that requires gradients; accepted: what its detach() returns, and all tensors in torch.no_grad()");
}

void split_float_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& source,
    const at::Tensor& top,
    const OptionalTensor& bits) {
  refuse_gradients(kSplit, source, top);
  const at::AutoDispatchBelowAutograd below;
  split_handle().redispatch(keys & c10::after_autograd_keyset, source, top, bits);
}

void cat_float_autograd(
    c10::DispatchKeySet keys,
    const at::Tensor& top,
    const at::Tensor& bits,
    const at::Tensor& out) {
  refuse_gradients(kCat, out, top);
  const at::AutoDispatchBelowAutograd below;
  cat_handle().redispatch(keys & c10::after_autograd_keyset, top, bits, out);
}

} // namespace

IPEX_IMPLEMENT_BELOW_AUTOCAST("cat_float", cat_float, cat_float_meta, cat_float_autograd)
IPEX_IMPLEMENT_BELOW_AUTOCAST("split_float", split_float, split_float_meta, split_float_autograd)

TORCH_LIBRARY_IMPL(torch_ipex, ADInplaceOrView, library) {
  library.impl("cat_float", TORCH_FN(cat_float_counted));
  library.impl("split_float", TORCH_FN(split_float_counted));
}

} // namespace ipex::custom_ops
