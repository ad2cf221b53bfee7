// The pool: workers sleep between loops; one loop at a time owns them, any other runs on its caller.
#include "thalweg/threads.hpp"

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "thalweg/check.hpp"

namespace thalweg {

namespace {

class Pool {
public:
    explicit Pool(int n_workers) {
        for (int k = 0; k < n_workers; ++k) workers_.emplace_back([this] { work(); });
    }
    ~Pool() {
        {
            std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }
    int size() const { return int(workers_.size()) + 1; }

    void run(int n, const std::function<void(int)>& task) {
        {
            std::lock_guard lock(mutex_);
            task_ = &task, n_ = n, next_ = 0, running_ = int(workers_.size()), failure_ = nullptr;
            ++round_;
        }
        wake_.notify_all();
        drain(n, task);
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return running_ == 0; });
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

private:
    void drain(int n, const std::function<void(int)>& task) {
        try {
            for (int k = next_++; k < n; k = next_++) task(k);
        } catch (...) {  // all threads come home before the caller hears of it
            next_ = n;
            const std::lock_guard lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
        }
    }

    void work() {
        long seen = 0;
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [&] { return stopping_ || round_ != seen; });
            if (stopping_) return;
            seen = round_;
            const int n = n_;
            const std::function<void(int)>& task = *task_;
            lock.unlock();
            drain(n, task);
            lock.lock();
            if (--running_ == 0) done_.notify_one();
        }
    }

    std::vector<std::thread> workers_;
    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(int)>* task_ = nullptr;
    int n_ = 0, running_ = 0;
    long round_ = 0;
    bool stopping_ = false;
    std::atomic<int> next_{0};
    std::exception_ptr failure_;  // of the first task that threw
};

std::mutex owner;  // held by the loop that uses the pool
std::unique_ptr<Pool> pool;
std::atomic<int> threads{1};

// A forked child inherits the pool without its threads: waiting for them, or joining them at exit, would never end.
void forget_pool() { static_cast<void>(pool.release()); }

void make_pool() {
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, forget_pool); });
    pool = std::make_unique<Pool>(threads - 1);
}

}  // namespace

void set_num_threads(int n) {
    check(n >= 1, "number of threads must be at least 1, got " + std::to_string(n));
    std::lock_guard lock(owner);
    threads = n;
    pool.reset();
}

int num_threads() { return threads; }

void parallel_for(int n, const std::function<void(int)>& task) {
    std::unique_lock lock(owner, std::defer_lock);
    if (n < 2 || threads < 2 || !lock.try_lock()) {
        for (int k = 0; k < n; ++k) task(k);
        return;
    }
    if (!pool || pool->size() != threads) make_pool();
    pool->run(n, task);
}

}  // namespace thalweg
