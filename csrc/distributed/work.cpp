// Forwards to the work underneath; what it returns goes back to ipex.
#include "distributed/work.h"

#include <ATen/core/ivalue_inl.h>

namespace ipex::distributed {

using c10::ivalue::Future;

AliasWork::AliasWork(c10::intrusive_ptr<c10d::Work> inner, std::shared_ptr<Aliases> aliases)
    : Work(-1, inner->retrieveOpType()),
      inner_(std::move(inner)),
      aliases_(std::move(aliases)) {}

bool AliasWork::isCompleted() {
  return inner_->isCompleted();
}

bool AliasWork::isSuccess() const {
  return inner_->isSuccess();
}

std::exception_ptr AliasWork::exception() const {
  return inner_->exception();
}

int AliasWork::sourceRank() const {
  return inner_->sourceRank();
}

std::vector<at::Tensor> AliasWork::result() {
  std::vector<at::Tensor> tensors = inner_->result();
  for (at::Tensor& tensor : tensors)
    tensor = aliases_->back(tensor);
  return tensors;
}

void AliasWork::synchronize() {
  inner_->synchronize();
  aliases_->finish();
}

bool AliasWork::wait(std::chrono::milliseconds timeout) {
  const bool completed = inner_->wait(timeout);
  if (completed)
    aliases_->finish();
  return completed;
}

void AliasWork::blockCurrentStream() {
  wait(kNoTimeout); // the one stream is the program itself
}

void AliasWork::abort() {
  inner_->abort();
}

c10::intrusive_ptr<Future> AliasWork::getFuture() {
  const c10::intrusive_ptr<Future> future = inner_->getFuture();
  return future->then(
      [aliases = aliases_](Future& done) {
        if (done.hasError())
          std::rethrow_exception(done.exception_ptr());
        return aliases->back(done.value());
      },
      future->elementType());
}

c10::intrusive_ptr<Future> AliasWork::getFutureResult() {
  return inner_->getFutureResult();
}

float AliasWork::getDuration() const {
  return inner_->getDuration();
}

uint64_t AliasWork::getSequencenumber() const {
  return inner_->getSequencenumber();
}

} // namespace ipex::distributed
