// Marks a function to be compiled for three instruction sets; the one for this machine is chosen when the
// library loads.
//
// It does not apply to templates, and only loops inside the function and what is inlined into it profit.
#pragma once

#ifdef __SANITIZE_THREAD__
#define IPEX_TARGET_CLONES // the choice would call ThreadSanitizer before the library is linked to it
#else
#define IPEX_TARGET_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
