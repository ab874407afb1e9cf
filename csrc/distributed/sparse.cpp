// all_reduce of sparse tensors, such as gradients of sparse embeddings: goes to the device's backend like that of others.
//
//   schema  c10d::allreduce_(Tensor[] tensors, ProcessGroup, ReduceOp, Tensor? sparse_indices, bool async_op, int timeout)
//             -> (Tensor[], Work)
//
// PyTorch registers it for sparse tensors on CPU and CUDA only. The fallback would lose the result, which comes later.
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/library.h>

#include "core/device.h"

namespace ipex::distributed {

namespace {

std::tuple<std::vector<at::Tensor>, c10::intrusive_ptr<c10d::Work>> allreduce(
    at::TensorList tensors,
    const c10::intrusive_ptr<c10d::ProcessGroup>& group,
    const c10::intrusive_ptr<c10d::ReduceOp>& op,
    const std::optional<at::Tensor>& sparse_indices,
    bool async_op,
    int64_t timeout) {
  std::vector<at::Tensor> operands = tensors.vec();
  c10d::AllreduceOptions options;
  options.reduceOp = *op;
  options.timeout = std::chrono::milliseconds(timeout);
  options.sparseIndices = sparse_indices;
  options.asyncOp = async_op;
  auto work = group->getBackend(kDeviceType)->allreduce(operands, options);
  return {std::move(operands), std::move(work)};
}

TORCH_LIBRARY_IMPL(c10d, SparsePrivateUse1, m) {
  m.impl("allreduce_", TORCH_FN(allreduce));
}

} // namespace

} // namespace ipex::distributed
