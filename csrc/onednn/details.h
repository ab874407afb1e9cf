// What events of a profiler say about operands of oneDNN.
#pragma once

#include <c10/util/ArrayRef.h>
#include <dnnl.hpp>

#include "core/profile.h"
#include "onednn/layout.h"
#include "onednn/primitive.h"

namespace ipex::onednn {

profile::Operand operand_of(const Layout& layout);

// The operands that the primitive reads, and its post-ops, "mul+add+relu".
profile::Details details_of(const dnnl::primitive_desc_base& desc, c10::ArrayRef<Argument> arguments);

} // namespace ipex::onednn
