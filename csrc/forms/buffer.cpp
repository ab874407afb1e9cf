// Makes buffers.
#include "forms/buffer.h"

namespace ipex::forms {

std::shared_ptr<Buffer> make_buffer(size_t nbytes) {
  auto buffer = std::make_shared<Buffer>();
  buffer->nbytes = nbytes;
  buffer->data = allocate(nbytes);
  return buffer;
}

} // namespace ipex::forms
