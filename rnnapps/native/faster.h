// A choice between two ways to compute the same.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace rnnapps {

// Which of two ways, 0 or 1, is the faster one, from the time that earlier calls took. How long threads take to meet
// depends on the processor, on what else it does and on where a hypervisor puts it, so nothing but a trial tells.
class Faster {
 public:
  // Runs body(way), which has so much `work` to do: both ways in turn at first, then the faster one, and now and then
  // the other.
  template <class Body>
  void run(double work, const Body& body) {
    const int way = choose();
    const auto started = std::chrono::steady_clock::now();
    body(way);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
    record(way, taken.count() / std::max(work, 1.0));
  }

 private:
  static constexpr int64_t first_calls = 8, between_trials = 32;

  int choose() {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t call = calls_++;
    if (call < first_calls) return call % 2;
    const int faster = mean_[1] < mean_[0];
    return call % between_trials == 0 ? 1 - faster : faster;
  }

  // A moving average; a call that lost its processor counts as one of twice the average.
  void record(int way, double time) {
    const std::lock_guard<std::mutex> lock(mutex_);
    double& mean = mean_[way];
    mean = mean == 0 ? time : mean + (std::min(time, 2 * mean) - mean) / 8;
  }

  std::mutex mutex_;
  int64_t calls_ = 0;
  double mean_[2] = {0, 0};
};

}  // namespace rnnapps
