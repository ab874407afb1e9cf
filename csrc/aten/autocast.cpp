// torch.autocast("ipex"): PyTorch's own operator lists, applied to this device.
#include <ATen/autocast_mode.h>

namespace ipex {

namespace {

using namespace at; // the macros expand to unqualified names of at and at::autocast
using namespace at::autocast;

#define IPEX_LOWER_PRECISION(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, lower_precision_fp)
#define IPEX_FP32(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32)
#define IPEX_FP32_SET_OPT_DTYPE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32_set_opt_dtype)
#define IPEX_PROMOTE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, promote)

Tensor binary_cross_entropy_banned(const Tensor&, const Tensor&, const std::optional<Tensor>&, int64_t) {
  TORCH_CHECK(
      false,
      "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast; use "
      "binary_cross_entropy_with_logits or torch.nn.BCEWithLogitsLoss, or leave autocast for this call");
}

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, m) {
  m.fallback(torch::CppFunction::makeFallthrough());
}

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
  AT_FORALL_LOWER_PRECISION_FP(IPEX_LOWER_PRECISION)
  AT_FORALL_FP32(IPEX_FP32)
  AT_FORALL_FP32_SET_OPT_DTYPE(IPEX_FP32_SET_OPT_DTYPE)
  AT_FORALL_DIFFERENT_REDISPATCH_SIGNATURE(KERNEL_DIFFERENT_REDISPATCH_SIGNATURE_PRIVATEUSEONE)
  AT_FORALL_PROMOTE(IPEX_PROMOTE)
  m.impl("binary_cross_entropy", TORCH_FN(binary_cross_entropy_banned));
}

} // namespace

} // namespace ipex
