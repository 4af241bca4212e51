#ifndef RTMIXD_SERVER_MIXER_SCHEDULE_H_
#define RTMIXD_SERVER_MIXER_SCHEDULE_H_

#include <cstdint>

#include "server/mixer/batch.h"
#include "server/mixer/voice.h"
#include "server/realtime/indexed_heap.h"

namespace rtmixd {

// The voices that wait for their start, earliest first. A batch is one entry, keyed by the next of
// its voices, so that taking up a batch costs the same however long it is, and a block looks only
// at what is due in it. A voice that follows another one is an entry of its own from the moment on
// that its start is known.
//
// Threading: the audio thread only. Only the constructor allocates, and it touches the memory.
class Schedule {
 public:
  Schedule(int max_batches, int max_voices);

  // Takes up a batch whose origin is set, with at least one voice, all pending and sorted by
  // (offset_frames, sequence).
  void AddRt(Batch* batch) noexcept;

  // The next pending voice, by (requested start, sequence), whose requested start lies before
  // `limit_frame`, taken out of the schedule; null if there is none. Voices that were dropped are
  // passed over when their turn comes, so that the cost is that of what is due.
  Voice* PopDueRt(int64_t limit_frame) noexcept;

  // Drops a voice that has not been popped and that has ended. If no voice of its batch is pending
  // any more, the batch leaves at once.
  void DropRt(Voice* voice) noexcept;

  // Makes a pending voice follow one that has not ended. Before either is submitted, control may
  // call it.
  static void FollowRt(Voice* voice, Voice* predecessor) noexcept;
  // The starts of the voices that follow `ended` are known now.
  void ReleaseFollowersRt(Voice* ended) noexcept;
  // A voice whose start is not known yet leaves its place to those that follow it, if any.
  static void UnfollowRt(Voice* voice) noexcept;

  // Where a voice of a batch with a known origin was asked to start; beyond every frame while it is
  // not known.
  static int64_t RequestedFrame(const Voice& voice) {
    return voice.requested_frame_ != Voice::kNoFrame
               ? voice.requested_frame_
               : voice.batch()->origin_frame + voice.offset_frames();
  }

 private:
  struct Entry {
    int64_t frame;
    int64_t sequence;
    Batch* batch;
    Voice* voice;  // null: the batch, by the voice at its cursor
  };
  struct Earlier {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.frame != b.frame ? a.frame < b.frame : a.sequence < b.sequence;
    }
  };
  struct SetIndex {
    void operator()(const Entry& entry, int32_t index) const {
      (entry.voice != nullptr ? entry.voice->heap_index_ : entry.batch->heap_index_) = index;
    }
  };

  // Enters `batch` with the voice at its cursor.
  void PushRt(Batch* batch) noexcept;

  IndexedHeap<Entry, Earlier, SetIndex> heap_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_MIXER_SCHEDULE_H_
