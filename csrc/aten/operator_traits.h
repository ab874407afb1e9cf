// What the device must know about an operator beyond its schema: the rows of operator_traits.inc.
#pragma once

#include <cstdint>
#include <string>

namespace ipex {

using Traits = uint32_t;

enum : Traits {
  kNoTraits = 0,
  kNative = 1 << 0, // has a kernel in csrc/aten; never registered as fallback
  kForced = 1 << 1, // registered as fallback although its CPU kernel is a composite one
  kMixedDevices = 1 << 2, // CPU tensors of any size may be mixed with ipex tensors
  kMovesData = 1 << 3, // a copy or fill of ours that uses twins: counted as native, not subject to the fallback policy
  kWritesInputs = 1 << 4, // writes arguments that its schema does not mark as written
  kCpuResults = 1 << 5, // results that are host-side by contract stay CPU tensors (see cpu_result_mask)
  kReadsRequiresGrad = 1 << 6, // its CPU kernel chooses its algorithm by requires_grad of its arguments
};

// Traits of the operator with this full name ("aten::copy_"); an operator of another library may read
// requires_grad, for PyTorch's own only the rows say so.
Traits operator_traits(const std::string& name);

// Bit i is set when result i of an operator with kCpuResults is a CPU tensor.
uint32_t cpu_result_mask(const std::string& name);

} // namespace ipex
