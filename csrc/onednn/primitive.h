// Primitive: a oneDNN kernel with everything an execution needs, shared by all threads. Its code is made by the first
// execution: a primitive that runs with an epilogue only never makes that of the one without.
//
// Memory objects are made once per primitive and given new pointers for each execution: building them costs more than
// a small kernel. The scratchpad is the thread's (scratchpad.h).
#pragma once

#include <c10/util/ArrayRef.h>
#include <dnnl.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace ipex::onednn {

// One operand of an execution: DNNL_ARG_* and the address of its first byte. An operand without address is absent.
struct Argument {
  int id;
  const void* data;
  int64_t count = 1; // of numbers, for DNNL_ARG_ATTR_SCALES
};

class Primitive {
 public:
  // `name` is the operator for error messages; an empty `desc` makes an unusable primitive, and so does one that only
  // has reference code unless `accept_reference` is set.
  Primitive(const char* name, const dnnl::primitive_desc_base& desc, bool accept_reference);
  ~Primitive();
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

  // Whether oneDNN has a kernel worth calling: reference implementations are slower than the CPU fallback.
  bool usable() const {
    return usable_;
  }

  // The layout that oneDNN chose for DNNL_ARG_WEIGHTS, or DNNL_ARG_DIFF_WEIGHTS of a backward-weights primitive.
  const dnnl::memory::desc& weights() const {
    return weights_;
  }

  // The layout of any argument; slower.
  dnnl::memory::desc argument(int id) const {
    return desc_.query_md(dnnl::query::exec_arg_md, id);
  }

  // oneDNN's name of the implementation, "jit:avx2"; empty when there is none.
  std::string_view implementation() const {
    return implementation_;
  }

  // Runs the kernel and returns when it is done. Throws E301.
  void run(c10::ArrayRef<Argument> arguments) const;

 private:
  class Operands;

  void make() const;

  const char* name_;
  std::string implementation_;
  dnnl::primitive_desc_base desc_;
  bool usable_ = false;
  mutable std::once_flag made_;
  mutable dnnl::primitive primitive_;
  dnnl::memory::desc weights_; // kept because it is asked for at every call
  // Operands that no execution is using; concurrent executions beyond the first make their own.
  mutable std::atomic<Operands*> spare_{nullptr};
};

} // namespace ipex::onednn
