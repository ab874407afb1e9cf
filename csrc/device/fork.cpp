// A forked child has only the thread that called fork(), but OpenMP there still counts on the parent's pool and waits for
// it for ever. So a child of a process with more than one thread computes with one thread.
//
// Stock PyTorch hangs in that case; its DataLoader workers ask for one thread themselves. Raising the number again in
// the child, with torch.set_num_threads, brings the wait back.
#include "device/fork.h"

#include <dirent.h>
#include <omp.h>
#include <pthread.h>

namespace ipex {

namespace {

bool parent_has_threads = false; // written before fork() in the parent, read after it in the child

bool has_several_threads() {
  DIR* tasks = opendir("/proc/self/task");
  if (tasks == nullptr)
    return true; // cannot tell: assume so
  int threads = 0;
  while (const dirent* entry = readdir(tasks))
    threads += entry->d_name[0] != '.';
  closedir(tasks);
  return threads > 1;
}

} // namespace

void register_fork_handlers() {
  pthread_atfork(
      [] { parent_has_threads = has_several_threads(); },
      nullptr,
      [] {
        if (parent_has_threads)
          omp_set_num_threads(1);
      });
}

} // namespace ipex
