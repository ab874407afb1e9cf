// Every collective of c10d in the same three steps: aliases, the call underneath, a work that finds the way back.
#include "distributed/backend.h"

#include "aten/on_device.h"
#include "core/check.h"
#include "distributed/work.h"

namespace ipex::distributed {

using c10d::Backend;
using BackendPtr = c10::intrusive_ptr<Backend>;

namespace {

using at::Tensor;
using c10d::Work;
using Tensors = std::vector<Tensor>;
using TensorLists = std::vector<Tensors>;
using WorkPtr = c10::intrusive_ptr<Work>;

// Gloo takes the first element and the number of elements of these operands and would write into gaps between them.
void check_dense(const char* collective, const Tensor& tensor) {
  IPEX_CHECK(
      !on_device(tensor) || tensor.layout() != at::kStrided || tensor.is_non_overlapping_and_dense(),
      E103,
      collective,
      "got a tensor of sizes ",
      tensor.sizes(),
      " and strides ",
      tensor.strides(),
      "; accepted: tensors without gaps or overlaps, such as its contiguous()");
}

void check_dense(const char* collective, const Tensors& tensors) {
  for (const Tensor& tensor : tensors)
    check_dense(collective, tensor);
}

class AliasBackend final : public Backend {
 public:
  explicit AliasBackend(BackendPtr inner) : Backend(inner->getRank(), inner->getSize()), inner_(std::move(inner)) {}

  const std::string getBackendName() const override {
    return inner_->getBackendName();
  }

  WorkPtr broadcast(Tensors& tensors, const c10d::BroadcastOptions& opts) override {
    check_dense("broadcast", tensors);
    return run(&Backend::broadcast, tensors, opts);
  }

  WorkPtr allreduce(Tensors& tensors, const c10d::AllreduceOptions& opts) override {
    check_dense("all_reduce", tensors);
    return run(&Backend::allreduce, tensors, opts);
  }

  WorkPtr allreduce_sparse(Tensors& tensors, const c10d::AllreduceOptions& opts) override {
    return run(&Backend::allreduce_sparse, tensors, opts);
  }

  WorkPtr allreduce_coalesced(Tensors& tensors, const c10d::AllreduceCoalescedOptions& opts) override {
    return run(&Backend::allreduce_coalesced, tensors, opts);
  }

  WorkPtr reduce(Tensors& tensors, const c10d::ReduceOptions& opts) override {
    check_dense("reduce", tensors);
    return run(&Backend::reduce, tensors, opts);
  }

  WorkPtr allgather(TensorLists& outputs, Tensors& inputs, const c10d::AllgatherOptions& opts) override {
    return run(&Backend::allgather, outputs, inputs, opts);
  }

  WorkPtr _allgather_base(Tensor& output, Tensor& input, const c10d::AllgatherOptions& opts) override {
    return run(&Backend::_allgather_base, output, input, opts);
  }

  WorkPtr allgather_coalesced(TensorLists& outputs, Tensors& inputs, const c10d::AllgatherOptions& opts) override {
    return run(&Backend::allgather_coalesced, outputs, inputs, opts);
  }

  WorkPtr allgather_into_tensor_coalesced(Tensors& outputs, Tensors& inputs, const c10d::AllgatherOptions& opts)
      override {
    return run(&Backend::allgather_into_tensor_coalesced, outputs, inputs, opts);
  }

  WorkPtr gather(TensorLists& outputs, Tensors& inputs, const c10d::GatherOptions& opts) override {
    return run(&Backend::gather, outputs, inputs, opts);
  }

  WorkPtr scatter(Tensors& outputs, TensorLists& inputs, const c10d::ScatterOptions& opts) override {
    check_dense("scatter", outputs);
    for (const Tensors& tensors : inputs)
      check_dense("scatter", tensors);
    return run(&Backend::scatter, outputs, inputs, opts);
  }

  WorkPtr reduce_scatter(Tensors& outputs, TensorLists& inputs, const c10d::ReduceScatterOptions& opts) override {
    check_dense("reduce_scatter", outputs);
    return run(&Backend::reduce_scatter, outputs, inputs, opts);
  }

  WorkPtr _reduce_scatter_base(Tensor& output, Tensor& input, const c10d::ReduceScatterOptions& opts) override {
    return run(&Backend::_reduce_scatter_base, output, input, opts);
  }

  WorkPtr reduce_scatter_tensor_coalesced(Tensors& outputs, Tensors& inputs, const c10d::ReduceScatterOptions& opts)
      override {
    return run(&Backend::reduce_scatter_tensor_coalesced, outputs, inputs, opts);
  }

  WorkPtr alltoall_base(
      Tensor& output,
      Tensor& input,
      std::vector<int64_t>& output_sizes,
      std::vector<int64_t>& input_sizes,
      const c10d::AllToAllOptions& opts) override {
    check_dense("all_to_all_single", output);
    check_dense("all_to_all_single", input);
    return run(&Backend::alltoall_base, output, input, output_sizes, input_sizes, opts);
  }

  WorkPtr alltoall(Tensors& outputs, Tensors& inputs, const c10d::AllToAllOptions& opts) override {
    return run(&Backend::alltoall, outputs, inputs, opts);
  }

  WorkPtr send(Tensors& tensors, int rank, int tag) override {
    return run(&Backend::send, tensors, rank, tag);
  }

  WorkPtr recv(Tensors& tensors, int rank, int tag) override {
    return run(&Backend::recv, tensors, rank, tag);
  }

  WorkPtr recvAnysource(Tensors& tensors, int tag) override {
    return run(&Backend::recvAnysource, tensors, tag);
  }

  // From here on nothing holds tensors.
  WorkPtr barrier(const c10d::BarrierOptions& opts) override {
    return inner_->barrier(opts);
  }

  void monitoredBarrier(const c10d::BarrierOptions& opts, bool wait_all_ranks) override {
    inner_->monitoredBarrier(opts, wait_all_ranks);
  }

  void setSequenceNumberForGroup() override {
    inner_->setSequenceNumberForGroup();
  }

  uint64_t getSequenceNumberForGroup() override {
    return inner_->getSequenceNumberForGroup();
  }

  c10::intrusive_ptr<Options> getBackendOptions() override {
    return inner_->getBackendOptions();
  }

  void setTimeout(std::chrono::milliseconds timeout) override {
    inner_->setTimeout(timeout);
  }

  bool supportsCoalescing() const override {
    return inner_->supportsCoalescing();
  }

  void startCoalescing() override {
    inner_->startCoalescing();
  }

  WorkPtr endCoalescing() override {
    return inner_->endCoalescing();
  }

  void registerOnCompletionHook(std::function<void(std::shared_ptr<c10d::WorkInfo>)>&& hook) override {
    inner_->registerOnCompletionHook(std::move(hook));
  }

  void waitForPendingWorks() override {
    inner_->waitForPendingWorks();
  }

  void enableCollectivesTiming() override {
    inner_->enableCollectivesTiming();
  }

  void abort() override {
    inner_->abort();
  }

  void shutdown() override {
    inner_->shutdown();
  }

 private:
  // What an argument is underneath: its aliases when it holds tensors, otherwise itself.
  template <class Argument>
  static decltype(auto) underneath(Aliases& aliases, Argument& argument) {
    if constexpr (requires { aliases.of(argument); })
      return aliases.of(argument);
    else
      return (argument);
  }

  template <class... Parameters, class... Arguments>
  WorkPtr run(WorkPtr (Backend::*collective)(Parameters...), Arguments&... arguments) {
    auto aliases = std::make_shared<Aliases>();
    // A tuple, because collectives take lists by reference; braces keep the order of evaluation.
    std::tuple<decltype(underneath(*aliases, arguments))...> lowered{underneath(*aliases, arguments)...};
    WorkPtr work = std::apply([&](auto&... arguments) { return (inner_.get()->*collective)(arguments...); }, lowered);
    if (work && !aliases->empty())
      return c10::make_intrusive<AliasWork>(std::move(work), std::move(aliases));
    return work;
  }

  const BackendPtr inner_;
};

} // namespace

BackendPtr alias_backend(const BackendPtr& inner) {
  return c10::make_intrusive<AliasBackend>(inner);
}

bool is_alias_backend(const BackendPtr& backend) {
  return dynamic_cast<AliasBackend*>(backend.get()) != nullptr;
}

} // namespace ipex::distributed
