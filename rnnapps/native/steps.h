// A loop of steps, each of several parts that may be done at the same time, for however many threads turn up.
//
// Whoever is there claims parts, so nobody ever waits for a thread that has not come: a thread pool may be busy with
// other work. A thread without a part waits for those that others are computing; one that comes late joins in.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rnnapps {

// Does the parts first <= part < last of a step.
using StepBody = std::function<void(int64_t step, int64_t first, int64_t last)>;

// Does every part of every step, a step after the other.
using Schedule = std::function<void(int64_t steps, int64_t parts, const StepBody& body)>;

inline void in_one_thread(int64_t steps, int64_t parts, const StepBody& body) {
  for (int64_t step = 0; step < steps; ++step) body(step, 0, parts);
}

class Steps {
 public:
  // Every thread has a share of the parts, of which it claims `together` at once.
  Steps(int64_t steps, int64_t parts, int64_t threads, int64_t together)
      : steps_(steps), parts_(parts), together_(together), shares_(threads) {
    for (int64_t i = 0; i < threads; ++i) {
      shares_[i].first = parts * i / threads;
      shares_[i].size = parts * (i + 1) / threads - shares_[i].first;
      shares_[i].claims = (shares_[i].size + together - 1) / together;
    }
  }

  // Works along until all is done. A thread has the same share at every step, what it reads stays in its cache; when
  // that is claimed it helps with the shares of others.
  void join(int64_t thread, const StepBody& body) {
    for (int64_t step; (step = current()) < steps_;) {
      int64_t done = 0;
      for (size_t i = 0; i < shares_.size(); ++i) {
        Share& share = shares_[(thread + i) % shares_.size()];
        for (int64_t claim; (claim = share.claim(step)) >= 0;) {
          const int64_t first = claim * together_, last = std::min(share.size, first + together_);
          body(step, share.first + first, share.first + last);
          done += last - first;
        }
      }
      if (done > 0) done_.fetch_add(done, std::memory_order_acq_rel);
      for (int turns = 0; current() == step; ++turns) wait(turns);
    }
  }

 private:
  struct alignas(64) Share {
    int64_t first, size, claims;
    std::atomic<int64_t> claimed{0};  // of all steps

    // The number of a claim that nobody has made yet, or -1.
    int64_t claim(int64_t step) {
      int64_t number = claimed.load(std::memory_order_relaxed);
      while (number < (step + 1) * claims)
        if (claimed.compare_exchange_weak(number, number + 1, std::memory_order_relaxed)) return number - step * claims;
      return -1;
    }
  };

  int64_t current() const { return done_.load(std::memory_order_acquire) / parts_; }

  // A step takes microseconds. If it takes much longer, the thread waited for has lost its processor, or there is but one
  // step, which takes as long as the whole sequence.
  static void wait(int turns) {
    if (turns > 4000) return std::this_thread::sleep_for(std::chrono::microseconds(50));
    if (turns > 1000) return std::this_thread::yield();
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  int64_t steps_, parts_, together_;
  std::vector<Share> shares_;
  alignas(64) std::atomic<int64_t> done_{0};  // parts, of all steps
};

}  // namespace rnnapps
