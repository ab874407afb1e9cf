// Puts names together.
#include "fusion/names.h"

namespace ipex::fusion {

std::string names(c10::ArrayRef<const PostOp*> steps) {
  std::string text;
  for (const PostOp* step : steps)
    text.append(text.empty() ? "" : "+").append(step->name);
  return text;
}

} // namespace ipex::fusion
