// A small pool of threads for loops over independent tasks. Results never depend on how many there are.
#pragma once

#include <functional>

namespace thalweg {

// Threads that parallel_for may use, the caller's included (at least 1; the default is 1).
void set_num_threads(int n);
int num_threads();

// Calls task(0) ... task(n - 1), each once, on the pool; on the caller alone where the pool is busy or n is small.
// What a task throws is thrown here once all have come home; tasks that had not begun are then left out.
void parallel_for(int n, const std::function<void(int)>& task);

}  // namespace thalweg
