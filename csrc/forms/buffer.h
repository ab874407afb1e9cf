// Memory for a copy of values that a kernel or a cache owns.
#pragma once

#include <memory>

#include "forms/form.h"

namespace ipex::forms {

// `nbytes` bytes, not initialised. Throws E201 when there are none.
std::shared_ptr<Buffer> make_buffer(size_t nbytes);

} // namespace ipex::forms
