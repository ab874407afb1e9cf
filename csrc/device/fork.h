// Makes kernels work in a forked child.
#pragma once

namespace ipex {

// Installs the handlers that run around fork(); called once, at activation.
void register_fork_handlers();

} // namespace ipex
