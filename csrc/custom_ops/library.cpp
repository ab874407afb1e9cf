// The schemas of torch.ops.torch_ipex. Each operator has a file of its own, with its kernels.
//
// They are the kernels of ipex for programs of CPU tensors: ipex.optimize and torch.compile(backend="ipex") call them.
#include <torch/library.h>

namespace ipex::custom_ops {

TORCH_LIBRARY(torch_ipex, library) {
  const std::vector<at::Tag> tags{at::Tag::pt2_compliant_tag, at::Tag::needs_fixed_stride_order};
  for (
      const char* schema : {
          "cat_float(Tensor top, Tensor bits, Tensor(a!) out) -> ()",
          "convolution(Tensor input, Tensor weight, Tensor? bias, SymInt[] stride, SymInt[] padding, SymInt[] dilation, "
          "bool transposed, SymInt[] output_padding, SymInt groups, Tensor? other=None, str post_op='', Tensor? "
          "norm_mean=None, Tensor? norm_var=None, Tensor? norm_weight=None, Tensor? norm_bias=None, float norm_eps=0.0) -> "
          "Tensor",
          "convolution_backward(Tensor grad_output, Tensor input, Tensor weight, SymInt[] stride, SymInt[] padding, "
          "SymInt[] dilation, bool transposed, SymInt[] output_padding, SymInt groups, bool[3] output_mask) -> (Tensor, "
          "Tensor, Tensor)",
          "gelu(Tensor input, str approximate='none') -> Tensor",
          "layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-05) "
          "-> Tensor",
          "linear(Tensor input, Tensor weight, Tensor? bias=None, Tensor? other=None, str post_op='') -> Tensor",
          "lstm(Tensor input, Tensor[] hx, Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, "
          "bool bidirectional, bool batch_first) -> (Tensor, Tensor, Tensor)",
          "product(Tensor left, Tensor right, Tensor? bias=None) -> Tensor",
          "resident(Tensor weight, ScalarType? dtype=None) -> Tensor",
          "scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, Tensor? attn_mask=None, float "
          "dropout_p=0.0, bool is_causal=False, float? scale=None) -> Tensor",
          "split_float(Tensor source, Tensor(a!) top, Tensor(b!)? bits=None) -> ()",
          "to_device(Tensor input) -> Tensor",
          "to_host(Tensor input) -> Tensor",
      })
    library.def(schema, tags);
}

} // namespace ipex::custom_ops
