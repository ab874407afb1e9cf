// Waiting for results.
#include "device/synchronize.h"

#include "fusion/open_primitive.h"

namespace ipex {

void synchronize() {
  fusion::close_all();
}

} // namespace ipex
