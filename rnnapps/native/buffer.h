// Memory of the engine's own. What one call gives back the next one takes: getting fresh pages takes longer than packing
// weights into them.
#pragma once

#include <algorithm>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace rnnapps {

// Floats on a cache line of their own, not initialised.
class Buffer {
 public:
  explicit Buffer(int64_t count) {
    const size_t bytes = std::max<int64_t>(count, 1) * sizeof(float), aligned = bytes < page / 2 ? line : page;
    bytes_ = (bytes + aligned - 1) / aligned * aligned;
    if (bytes_ >= large) floats_ = spare().take(bytes_);
    if (floats_) return;
    floats_ = static_cast<float*>(std::aligned_alloc(aligned, bytes_));
    if (!floats_) throw std::bad_alloc();
#if defined(__linux__)
    // A matrix in one piece: scattered pages would share some sets of the cache and leave others.
    if (aligned == page) madvise(floats_, bytes_, MADV_HUGEPAGE);
#endif
  }
  Buffer(int64_t count, float value) : Buffer(count) { std::fill_n(floats_, count, value); }
  Buffer(Buffer&& other) noexcept : bytes_(other.bytes_), floats_(other.floats_) { other.floats_ = nullptr; }
  ~Buffer() {
    if (floats_ && bytes_ >= large) {
      spare().give(bytes_, floats_);
    } else {
      std::free(floats_);
    }
  }

  float* data() { return floats_; }
  const float* data() const { return floats_; }

 private:
  static constexpr size_t line = 64, page = 1 << 21;        // bytes: of the cache, and of the largest pages
  static constexpr size_t large = 1 << 15, most = 1 << 26;  // bytes: worth keeping, and kept at most

  // The newest last.
  class Spare {
   public:
    float* take(size_t bytes) {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (size_t i = blocks_.size(); i-- > 0;) {
        if (blocks_[i].bytes != bytes) continue;
        float* const floats = blocks_[i].floats;
        remove(i);
        return floats;
      }
      return nullptr;
    }

    void give(size_t bytes, float* floats) {
      const std::lock_guard<std::mutex> lock(mutex_);
      blocks_.push_back({bytes, floats});
      total_ += bytes;
      while (total_ > most) {
        std::free(blocks_.front().floats);
        remove(0);
      }
    }

   private:
    struct Block {
      size_t bytes;
      float* floats;
    };

    void remove(size_t i) {
      total_ -= blocks_[i].bytes;
      blocks_.erase(blocks_.begin() + i);
    }

    std::mutex mutex_;
    std::vector<Block> blocks_;
    size_t total_ = 0;
  };

  static Spare& spare() {
    static Spare* const all = new Spare;  // never destroyed: threads may end after static objects
    return *all;
  }

  size_t bytes_;
  float* floats_ = nullptr;
};

}  // namespace rnnapps
