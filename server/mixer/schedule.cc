#include "server/mixer/schedule.h"

#include <cassert>
#include <utility>

namespace rtmixd {

Schedule::Schedule(int max_batches, int max_voices) : heap_(max_batches + max_voices) {}

void Schedule::AddRt(Batch* batch) noexcept {
  batch->pending_ = static_cast<int64_t>(batch->voices.size());
  batch->cursor_ = 0;
  PushRt(batch);
}

void Schedule::PushRt(Batch* batch) noexcept {
  const Voice& next = *batch->voices[batch->cursor_];
  // Those that follow come last, and by themselves.
  [[maybe_unused]] const bool pushed =
      heap_.Push({batch->origin_frame + next.offset_frames(), next.sequence(), batch, nullptr});
  assert(pushed);  // as many entries as batches and voices are admitted
}

Voice* Schedule::PopDueRt(int64_t limit_frame) noexcept {
  while (!heap_.empty() && heap_.Top().frame < limit_frame) {
    const Entry due = heap_.Pop();
    Batch* const batch = due.batch;
    Voice* const voice = due.voice != nullptr ? due.voice : batch->voices[batch->cursor_++];
    const bool pending = voice->state() == Voice::State::kPending;
    batch->pending_ -= pending;
    if (due.voice == nullptr) {
      if (batch->pending_ > 0) PushRt(batch);
    } else if (batch->pending_ == 0) {
      heap_.Remove(batch->heap_index_);
    }
    if (pending) return voice;
  }
  return nullptr;
}

void Schedule::DropRt(Voice* voice) noexcept {
  if (voice->heap_index_ >= 0) heap_.Remove(voice->heap_index_);
  Batch* const batch = voice->batch();
  if (--batch->pending_ == 0) heap_.Remove(batch->heap_index_);
}

void Schedule::FollowRt(Voice* voice, Voice* predecessor) noexcept {
  Voice** at = &predecessor->first_follower_;
  while (*at != nullptr) at = &(*at)->next_follower_;
  *at = voice;
  voice->next_follower_ = nullptr;
  voice->predecessor_ = predecessor;
}

void Schedule::ReleaseFollowersRt(Voice* ended) noexcept {
  Voice* follower = std::exchange(ended->first_follower_, nullptr);
  while (follower != nullptr) {
    Voice* const next = std::exchange(follower->next_follower_, nullptr);
    follower->predecessor_ = nullptr;
    follower->requested_frame_ = ended->end_frame();
    [[maybe_unused]] const bool pushed =
        heap_.Push({ended->end_frame(), follower->sequence(), follower->batch(), follower});
    assert(pushed);
    follower = next;
  }
}

void Schedule::UnfollowRt(Voice* voice) noexcept {
  Voice* const predecessor = std::exchange(voice->predecessor_, nullptr);
  Voice** at = &predecessor->first_follower_;
  while (*at != voice) at = &(*at)->next_follower_;
  *at = std::exchange(voice->next_follower_, nullptr);
  while (Voice* const follower = voice->first_follower_) {
    voice->first_follower_ = follower->next_follower_;
    FollowRt(follower, predecessor);
  }
}

}  // namespace rtmixd
