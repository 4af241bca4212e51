#include "server/control/audio_storage.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr int64_t kSegmentFrames = AudioView::kSegmentFrames;
// Segments begin on a cache line, and so do their channels.
constexpr int64_t kAlignBytes = 64;
constexpr int64_t kAlignFrames = kAlignBytes / static_cast<int64_t>(sizeof(float));
// What is beyond them is refused by every budget; they keep sums and products from overflowing.
constexpr int64_t kMaxFrames = int64_t{1} << 53;
constexpr int64_t kMaxBytes = int64_t{1} << 62;

int64_t Segments(int64_t frames) {
  frames = std::min(frames, kMaxFrames);
  return (frames + kSegmentFrames - 1) / kSegmentFrames;
}

// The stride of the only segment of a sound.
int64_t FittingStride(int64_t frames) {
  return std::min(kSegmentFrames, (frames + kAlignFrames - 1) / kAlignFrames * kAlignFrames);
}

}  // namespace

void AudioStorage::FreeSegment::operator()(float* samples) const { std::free(samples); }

AudioStorage::AudioStorage(int channels, std::shared_ptr<ByteBudget> budget)
    : channels_(channels), budget_(std::move(budget)) {}

AudioStorage::~AudioStorage() {
  segments_.clear();
  budget_->Release(bytes());
}

absl::StatusOr<std::shared_ptr<AudioStorage>> AudioStorage::Create(
    int channels, int64_t expected_frames, std::shared_ptr<ByteBudget> budget) {
  std::shared_ptr<AudioStorage> storage(new AudioStorage(channels, std::move(budget)));
  const bool fits = 0 < expected_frames && expected_frames < kSegmentFrames;
  absl::Status status = fits ? storage->AddSegments(1, FittingStride(expected_frames))
                             : storage->AddSegments(Segments(expected_frames), kSegmentFrames);
  if (!status.ok()) return status;
  return storage;
}

AudioView AudioStorage::View() const {
  // First the frames: the table is at least as new as they are.
  const int64_t frames = frames_.load(std::memory_order_acquire);
  const Table* const table = table_.load(std::memory_order_acquire);
  return {.segments = table->segments.data(),
          .channels = channels_,
          .frames = frames,
          .channel_stride_frames = table->channel_stride_frames};
}

AudioStorage::Stretch<const float> AudioStorage::Read(int64_t first_frame,
                                                      int64_t max_frames) const {
  const AudioView view = View();
  const int64_t offset = first_frame % kSegmentFrames;
  const int64_t frames = std::min({max_frames, view.frames - first_frame, kSegmentFrames - offset});
  if (frames <= 0) return {};
  return {view.segments[first_frame / kSegmentFrames] + offset, view.channel_stride_frames, frames};
}

AudioStorage::Stretch<float> AudioStorage::Room(int64_t ahead_frames, int64_t max_frames) {
  const int64_t position = frames_.load(std::memory_order_relaxed) + ahead_frames;
  const int64_t offset = position % kSegmentFrames;
  const int64_t frames = std::min({max_frames, room_frames_ - position, kSegmentFrames - offset});
  if (frames <= 0) return {};
  const Table& table = *tables_.back();
  return {table.segments[position / kSegmentFrames] + offset, table.channel_stride_frames, frames};
}

void AudioStorage::Publish(int64_t frames) {
  frames_.store(frames_.load(std::memory_order_relaxed) + frames, std::memory_order_release);
}

absl::Status AudioStorage::Grow(int64_t frames) {
  const int64_t published = frames_.load(std::memory_order_relaxed);
  if (frames <= room_frames_ - published) return absl::OkStatus();
  const int64_t segments = Segments(published + std::min(frames, kMaxFrames));
  return AddSegments(segments - room_frames_ / kSegmentFrames, kSegmentFrames);
}

absl::Status AudioStorage::AddSegments(int64_t count, int64_t channel_stride_frames) {
  const int64_t segment_bytes =
      channels_ * channel_stride_frames * static_cast<int64_t>(sizeof(float));
  const int64_t bytes = count < kMaxBytes / segment_bytes ? count * segment_bytes : kMaxBytes;
  if (absl::Status status = budget_->Reserve(bytes); !status.ok()) return status;
  std::vector<Segment> fresh;
  for (int64_t i = 0; i < count; ++i) {
    fresh.emplace_back(static_cast<float*>(std::aligned_alloc(kAlignBytes, segment_bytes)));
    if (fresh.back() == nullptr) {
      budget_->Release(bytes);
      return MakeError(absl::StatusCode::kResourceExhausted,
                       {.reason = ErrorReason::kLimitExceeded, .field = "memory"},
                       absl::StrCat("the machine has no memory for ", bytes, " bytes of audio"));
    }
    // Touches it, so that what was promised is there.
    std::memset(fresh.back().get(), 0, segment_bytes);
  }
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  Insert(std::move(fresh), channel_stride_frames);
  return absl::OkStatus();
}

void AudioStorage::Insert(std::vector<Segment> fresh, int64_t channel_stride_frames) {
  const Table* const old = tables_.empty() ? nullptr : tables_.back().get();
  int64_t used = room_frames_ / kSegmentFrames;  // a segment shorter than that is replaced
  const int64_t needed = used + static_cast<int64_t>(fresh.size());
  if (old == nullptr || old->channel_stride_frames != channel_stride_frames ||
      static_cast<int64_t>(old->segments.size()) < needed) {
    auto table = std::make_unique<Table>(std::max(needed, 2 * used), channel_stride_frames);
    if (old != nullptr) std::copy_n(old->segments.begin(), used, table->segments.begin());
    if (used == 0 && room_frames_ > 0) CopyShortSegment(*old, fresh.front().get());
    tables_.push_back(std::move(table));
  }
  Table& table = *tables_.back();
  for (Segment& segment : fresh) {
    table.segments[used++] = segment.get();
    segments_.push_back(std::move(segment));
  }
  room_frames_ =
      channel_stride_frames < kSegmentFrames ? channel_stride_frames : used * kSegmentFrames;
  table_.store(&table, std::memory_order_release);
}

void AudioStorage::CopyShortSegment(const Table& table, float* to) const {
  const int64_t published = frames_.load(std::memory_order_relaxed);
  for (int c = 0; c < channels_; ++c) {
    std::copy_n(table.segments.front() + c * table.channel_stride_frames, published,
                to + c * kSegmentFrames);
  }
}

}  // namespace rtmixd
