// Aliases: the CPU tensors that stand for the ipex tensors of one collective, and the way back.
//
// A strided tensor gets an alias over its own memory (as_cpu): plain bytes are made first, packed copies are dropped, and
// none is made while the alias lives. A sparse tensor has no memory of its own that a collective could write in place:
// it is copied, and the result is copied back once.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/ivalue.h>

#include <mutex>
#include <vector>

namespace ipex::distributed {

class Aliases {
 public:
  // The CPU tensor for `tensor`; one that is on the CPU already stands for itself.
  at::Tensor of(const at::Tensor& tensor);
  std::vector<at::Tensor> of(const std::vector<at::Tensor>& tensors);
  std::vector<std::vector<at::Tensor>> of(const std::vector<std::vector<at::Tensor>>& lists);

  // Whether no tensor was on ipex.
  bool empty() const {
    return pairs_.empty();
  }

  // The ipex tensor that `cpu` stands for; another CPU tensor comes back as it is when no operand was on ipex, and as an
  // ipex tensor over its memory otherwise. Call it when the collective has ended: it brings sparse results back.
  at::Tensor back(const at::Tensor& cpu);

  // The same for every tensor in a value, which may be a tensor, or lists of them.
  c10::IValue back(const c10::IValue& value);

  // Brings sparse results back; later calls do nothing.
  void finish();

 private:
  struct Pair {
    at::Tensor device;
    at::Tensor cpu;
  };

  std::vector<Pair> pairs_;
  bool has_sparse_ = false;
  std::once_flag finished_;
};

} // namespace ipex::distributed
