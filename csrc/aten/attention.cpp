// Scaled dot-product attention takes the same algorithm on ipex as on CPU, chosen by the CPU's own rules.
//
// at::scaled_dot_product_attention asks a dispatch stub for the algorithm; without an entry for PrivateUse1 it would
// always take the unfused one.
#include <ATen/native/transformers/attention.h>
#include <ATen/native/transformers/sdp_utils_cpp.h>
#include <ATen/ops/_fused_sdp_choice_native.h>

namespace ipex {

namespace {

int64_t choose_algorithm(
    const at::Tensor& query,
    const at::Tensor& key,
    const at::Tensor& value,
    const std::optional<at::Tensor>& mask,
    double dropout_p,
    bool is_causal,
    std::optional<double> scale,
    bool enable_gqa) {
  return at::native::_fused_sdp_choice_cpp(query, key, value, mask, dropout_p, is_causal, scale, enable_gqa);
}

} // namespace

} // namespace ipex

namespace at::native {

REGISTER_PRIVATEUSE1_DISPATCH(_fused_sdp_choice_stub, &ipex::choose_algorithm)

} // namespace at::native
