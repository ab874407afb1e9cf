// Brings the device to rest: every result that a program has asked for so far is computed.
#pragma once

namespace ipex {

// Kernels run in the calling thread and finish before they return; what is left open is computed here.
void synchronize();

} // namespace ipex
