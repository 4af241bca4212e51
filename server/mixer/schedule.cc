#include "server/mixer/schedule.h"

#include <cassert>

namespace rtmixd {

Schedule::Schedule(int max_batches) : heap_(max_batches) {}

void Schedule::AddRt(Batch* batch) noexcept {
  batch->pending_ = static_cast<int64_t>(batch->voices.size());
  batch->cursor_ = 0;
  PushRt(batch);
}

void Schedule::PushRt(Batch* batch) noexcept {
  const Voice& next = *batch->voices[batch->cursor_];
  [[maybe_unused]] const bool pushed =
      heap_.Push({RequestedFrame(next), next.spec().sequence, batch});
  assert(pushed);  // as many entries as batches are admitted
}

Voice* Schedule::PopDueRt(int64_t limit_frame) noexcept {
  while (!heap_.empty() && heap_.Top().frame < limit_frame) {
    Batch* const batch = heap_.Pop().batch;
    Voice* const voice = batch->voices[batch->cursor_].get();
    const bool pending = voice->state() == Voice::State::kPending;
    ++batch->cursor_;
    batch->pending_ -= pending;
    if (batch->pending_ > 0) PushRt(batch);
    if (pending) return voice;
  }
  return nullptr;
}

void Schedule::DropRt(Voice* voice) noexcept {
  Batch* const batch = voice->batch();
  if (--batch->pending_ == 0) heap_.Remove(batch->heap_index_);
}

}  // namespace rtmixd
