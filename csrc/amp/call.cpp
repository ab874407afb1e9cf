// The notice about machines without bfloat16 instructions.
#include "amp/call.h"

namespace ipex::amp {

void note_missing_instructions() {
  if (onednn::has_bfloat16_instructions())
    return;
  TORCH_WARN_ONCE(
      "automatic mixed precision: this machine has no bfloat16 instructions (oneDNN's instruction set is ",
      onednn::cpu_isa(),
      "); results are right, but float32 would be faster");
}

} // namespace ipex::amp
