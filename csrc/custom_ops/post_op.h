// The functions that custom operators can apply to their result, by name.
#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace ipex::custom_ops {

// tensor = post_op(tensor + other), in place; `other` may be undefined, `post_op` empty. Joins an open primitive. Throws E103
// for another name.
void apply(std::string_view op, at::Tensor& tensor, const at::Tensor& other, std::string_view post_op);

// The same as a new tensor, with gradients.
at::Tensor applied(std::string_view op, at::Tensor tensor, const at::Tensor& other, std::string_view post_op);

} // namespace ipex::custom_ops
