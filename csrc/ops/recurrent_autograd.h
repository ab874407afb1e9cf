// A recurrent layer with derivatives of any order.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/recurrent_call.h"

namespace ipex::ops {

// at::mkldnn_rnn_layer without the workspace: output, last hidden state and last cell state. PyTorch's own derivative
// of that operator takes every layer for an LSTM as soon as the gradient is to be differentiated again.
std::tuple<at::Tensor, at::Tensor, at::Tensor> recurrent_layer(const RecurrentArguments& arguments, bool reverse);

} // namespace ipex::ops
