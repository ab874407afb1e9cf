// Work of a collective on ipex tensors: that of the backend underneath, with results on ipex.
#pragma once

#include <torch/csrc/distributed/c10d/Work.hpp>

#include "distributed/aliases.h"

namespace ipex::distributed {

class AliasWork final : public c10d::Work {
 public:
  AliasWork(c10::intrusive_ptr<c10d::Work> inner, std::shared_ptr<Aliases> aliases);

  bool isCompleted() override;
  bool isSuccess() const override;
  std::exception_ptr exception() const override;
  int sourceRank() const override;
  std::vector<at::Tensor> result() override;
  void synchronize() override;
  bool wait(std::chrono::milliseconds timeout) override;
  void blockCurrentStream() override;
  void abort() override;
  // Its value holds the ipex tensors. Callbacks run in the thread that completes the collective.
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override;
  c10::intrusive_ptr<c10::ivalue::Future> getFutureResult() override;
  float getDuration() const override;
  uint64_t getSequencenumber() const override;

 private:
  const c10::intrusive_ptr<c10d::Work> inner_;
  const std::shared_ptr<Aliases> aliases_; // keeps the aliases alive while the collective may write them
};

} // namespace ipex::distributed
