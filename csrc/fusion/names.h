// Names of post-ops, for people.
#pragma once

#include <c10/util/ArrayRef.h>

#include <string>

#include "fusion/post_op.h"

namespace ipex::fusion {

// "batch_norm+relu"
std::string names(c10::ArrayRef<const PostOp*> steps);

} // namespace ipex::fusion
