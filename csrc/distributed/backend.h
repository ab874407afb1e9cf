// A c10d backend for ipex tensors: hands their CPU aliases to a backend for CPU tensors, gloo as a rule.
//
// Host memory needs no engine of its own. Nothing is copied, the order of collectives is that of the backend underneath,
// which may serve CPU tensors of the same group at the same time, and CPU tensors that come here pass through.
#pragma once

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "core/visibility.h"

namespace ipex::distributed {

// `inner` must accept CPU tensors.
IPEX_API c10::intrusive_ptr<c10d::Backend> alias_backend(const c10::intrusive_ptr<c10d::Backend>& inner);

// Whether `backend` is one of these.
IPEX_API bool is_alias_backend(const c10::intrusive_ptr<c10d::Backend>& backend);

} // namespace ipex::distributed
