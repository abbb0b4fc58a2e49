// One call of an op: its inputs and outputs by their names, checks of shapes, and TensorFlow's threads.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/lib/core/threadpool.h"

#include "faster.h"
#include "recurrence.h"

namespace rnnapps {

using tensorflow::OpInputList;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// Rows of the batch that go through the sequence together: enough to fill the tiles of the products, few enough that
// every thread has some.
constexpr int64_t most_rows = 96;

// The inputs and outputs of one call by their names, and the threads for it.
class Call {
 public:
  explicit Call(OpKernelContext* context) : context_(context) {}

  // The only tensor of an input; empty pointer for a list of none.
  const Tensor* tensor(const char* name, int number = 0) {
    OpInputList list;
    const absl::Status status = context_->input_list(name, &list);
    if (!status.ok()) return fail(status);
    return number < list.size() ? &list[number] : nullptr;
  }

  // The same as floats, after a check of the shape: -1 where any size will do.
  const float* floats(const char* name, const std::vector<int64_t>& shape, int number = 0) {
    const Tensor* found = tensor(name, number);
    return found && fits(name, *found, shape) ? found->flat<float>().data() : nullptr;
  }

  const bool* bools(const char* name, const std::vector<int64_t>& shape) {
    const Tensor* found = tensor(name);
    return found && fits(name, *found, shape) ? found->flat<bool>().data() : nullptr;
  }

  float* allocate(const char* name, const TensorShape& shape, int number = 0) {
    int start = 0, stop = 0;
    Tensor* output = nullptr;
    absl::Status status = context_->op_kernel().OutputRange(name, &start, &stop);
    if (status.ok()) status = context_->allocate_output(start + number, shape, &output);
    if (!status.ok()) {
      fail(status);
      return nullptr;
    }
    return output->flat<float>().data();
  }

  bool ok() const { return context_->status().ok(); }

  int64_t threads() const { return context_->device()->tensorflow_cpu_worker_threads()->num_threads; }

  // A schedule on as many of TensorFlow's threads as come; nobody waits for one that does not. Each claims so many parts
  // of a step `at_once`.
  void together(int64_t steps, int64_t parts, int64_t at_once, const StepBody& body) const {
    if (parts == 0) return;
    const int64_t most = std::min(threads(), (parts + at_once - 1) / at_once);
    if (most == 1) return in_one_thread(steps, parts, body);
    const auto all = std::make_shared<Steps>(steps, parts, most, at_once);  // also for threads that come when all is done
    for (int64_t i = 1; i < most; ++i) start([all, i, &body] { all->join(i, body); });
    all->join(0, body);
  }

  // Does items 0 <= i < count.
  void parallel(int64_t count, const std::function<void(int64_t)>& item) const {
    together(1, count, 1, [&item](int64_t, int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) item(i);
    });
  }

  // Cuts 0 <= i < count into about equal ranges none longer than `most`, a multiple of `threads` of them.
  void parallel_ranges(int64_t count, int64_t most, const std::function<void(int64_t, int64_t)>& range) const {
    const int64_t ranges = ranges_of(count, most);
    parallel(ranges, [&](int64_t i) { range(count * i / ranges, count * (i + 1) / ranges); });
  }

  // The same for the rows of the batch, with about as many unmasked steps in each range; a range with many masked steps
  // may be longer.
  void parallel_rows(const Recurrence& r, const std::function<void(int64_t, int64_t)>& range) const {
    if (!r.mask) return parallel_ranges(r.batch, most_rows, range);
    std::vector<int64_t> before(1, 0);  // steps of the rows before one
    for (int64_t row = 0; row < r.batch; ++row) {
      int64_t steps = 1;
      for (int64_t t = 0; t < r.steps; ++t) steps += !r.holds(row, t);
      before.push_back(before.back() + steps);
    }
    const int64_t ranges = ranges_of(r.batch, most_rows);
    const auto cut = [&](int64_t i) {
      return std::lower_bound(before.begin(), before.end(), before.back() * i / ranges) - before.begin();
    };
    parallel(ranges, [&](int64_t i) {
      if (cut(i) < cut(i + 1)) range(cut(i), cut(i + 1));
    });
  }

  // Packs every panel of some matrices. A few are packed sooner than another thread wakes.
  template <class Packs>
  void pack_all(Packs& packs) const {
    constexpr int64_t few_floats = 1 << 17;
    int64_t panels = 0, floats = 0;
    for (const auto& pack : packs) {
      panels += pack.panels.count();
      floats += pack.panels.depth * pack.panels.columns;
    }
    const auto range = [&packs](int64_t first, int64_t last) {
      for (auto& pack : packs) {
        const int64_t count = pack.panels.count();
        for (int64_t panel = std::max<int64_t>(first, 0); panel < std::min(last, count); ++panel) pack(panel);
        first -= count;
        last -= count;
      }
    };
    if (floats <= few_floats) return range(0, panels);
    parallel_ranges(panels, 1 << 20, range);
  }

  // Spreads a loop over time over the threads: the rows of the batch or, if there are fewer of them than threads or the
  // recurrent kernel is too large for the cache of each, the units of every step. Threads meet at every step then, which
  // a small kernel may not repay. Forward, one thread can run over the steps instead while others project inputs ahead:
  // `faster` finds out which of the two takes less time. It is null in a backward pass.
  void recurrence(const Recurrence& r, const Layout& layout, Faster* faster,
                  const std::function<void(int64_t first, int64_t last, const Schedule&)>& loop) const {
    constexpr int64_t small = 1 << 14, cached = 1 << 18;       // floats of a kernel
    constexpr int64_t small_ahead = 1 << 16, most_ahead = 1 << 21;  // floats of a kernel, and of all projected inputs
    const int64_t kernel = layout.gates * r.padded() * r.padded();
    const int64_t at_once = r.batch <= few_rows ? (r.parts() + threads() - 1) / threads() : 1;
    const StepLoop by_units = [&](int64_t steps, int64_t parts, const StepBody& body) {
      together(steps, parts, at_once, body);
    };
    const Schedule ahead{in_one_thread, [this](int64_t count, const Ahead::Make& make) {
      const auto items = std::make_shared<Ahead>(count, make);  // also for threads that come when all is done
      for (int64_t i = 1; i < std::min(threads(), count); ++i) start([items] { items->help(); });
      return items;
    }};
    if (faster && r.batch < threads() && r.batch <= few_rows && kernel <= small_ahead &&
        r.batch * r.steps * layout.values * r.padded() <= most_ahead) {
      if (r.parts() == 1) return loop(0, r.batch, ahead);
      return faster->run(r.batch * r.steps * kernel, [&](int way) {
        loop(0, r.batch, way == 0 ? ahead : Schedule{by_units});
      });
    }
    if (r.parts() == 1 || (r.batch >= threads() && kernel <= cached) || r.batch * kernel <= small)
      return parallel_rows(r, [&](int64_t first, int64_t last) { loop(first, last, Schedule{}); });
    for (int64_t first = 0; first < r.batch; first += most_rows)
      loop(first, std::min(r.batch, first + most_rows), Schedule{by_units});
  }

 private:
  int64_t ranges_of(int64_t count, int64_t most) const {
    const int64_t rounds = (count + most * threads() - 1) / (most * threads());
    return std::min<int64_t>(count, rounds * threads());
  }

  void start(std::function<void()> work) const {
    context_->device()->tensorflow_cpu_worker_threads()->workers->Schedule(std::move(work));
  }

  std::nullptr_t fail(const absl::Status& status) {
    context_->SetStatus(status);
    return nullptr;
  }

  bool fits(const char* name, const Tensor& tensor, const std::vector<int64_t>& shape) {
    bool same = tensor.dims() == static_cast<int>(shape.size());
    for (int i = 0; same && i < tensor.dims(); ++i) same = shape[i] < 0 || tensor.dim_size(i) == shape[i];
    if (same) return true;
    std::string wanted;
    for (int64_t size : shape) wanted += (wanted.empty() ? "" : ", ") + (size < 0 ? "any" : std::to_string(size));
    fail(absl::InvalidArgumentError(std::string(name) + " has shape " + tensor.shape().DebugString() +
                                    ", which should be [" + wanted + "]"));
    return false;
  }

  OpKernelContext* context_;
};

}  // namespace rnnapps
