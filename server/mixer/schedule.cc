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
  Voice** at = &predecessor->LoadExtras()->first_follower;
  while (*at != nullptr) at = &(*at)->LoadExtras()->next_follower;
  *at = voice;
  Voice::Extras& extras = *voice->LoadExtras();
  extras.next_follower = nullptr;
  extras.predecessor = predecessor;
}

void Schedule::ReleaseFollowersRt(Voice* ended) noexcept {
  Voice::Extras* const extras = ended->LoadExtras();
  if (extras == nullptr) return;
  Voice* follower = std::exchange(extras->first_follower, nullptr);
  while (follower != nullptr) {
    Voice* const next = std::exchange(follower->LoadExtras()->next_follower, nullptr);
    follower->LoadExtras()->predecessor = nullptr;
    follower->requested_frame_ = ended->end_frame();
    [[maybe_unused]] const bool pushed =
        heap_.Push({ended->end_frame(), follower->sequence(), follower->batch(), follower});
    assert(pushed);
    follower = next;
  }
}

void Schedule::UnfollowRt(Voice* voice) noexcept {
  Voice::Extras& extras = *voice->LoadExtras();
  Voice* const predecessor = std::exchange(extras.predecessor, nullptr);
  Voice** at = &predecessor->LoadExtras()->first_follower;
  while (*at != voice) at = &(*at)->LoadExtras()->next_follower;
  *at = std::exchange(extras.next_follower, nullptr);
  while (Voice* const follower = extras.first_follower) {
    extras.first_follower = follower->LoadExtras()->next_follower;
    FollowRt(follower, predecessor);
  }
}

}  // namespace rtmixd
