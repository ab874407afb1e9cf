// Marks what libtorch_ipex.so offers to the binding; everything else is hidden.
#pragma once

#define IPEX_API __attribute__((visibility("default")))
