// Loops over tasks, some of which throw.
#include "expect.hpp"

#include "thalweg/threads.hpp"

#include <atomic>
#include <stdexcept>

using namespace thalweg;

THALWEG_TEST(what_a_task_throws_reaches_the_caller_whoever_ran_it) {
    for (const int n_threads : {1, 3}) {
        set_num_threads(n_threads);
        for (int culprit = 0; culprit < 40; ++culprit) {
            std::atomic<int> done{0};
            const auto task = [&](int k) {
                if (k == culprit) throw std::invalid_argument("the culprit");
                ++done;
            };
            EXPECT(testing::throws([&] { parallel_for(40, task); }));
            EXPECT(done < 40);
            done = 0;  // the pool is whole afterwards
            parallel_for(40, [&](int) { ++done; });
            EXPECT(done == 40);
        }
    }
    set_num_threads(1);
}
