// Faults on purpose (core/faults.h) where oneDNN is called.
#pragma once

#include <dnnl.hpp>

#include "core/faults.h"

namespace ipex::onednn {

// Throws what oneDNN does when it runs out of memory, if a test wants that here.
inline void may_fail(faults::Site site) {
  if (faults::strikes(site))
    throw dnnl::error(dnnl_out_of_memory, "out of memory, on purpose");
}

} // namespace ipex::onednn
