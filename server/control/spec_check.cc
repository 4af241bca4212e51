#include "server/control/spec_check.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/wire_audio.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {
namespace {

constexpr size_t kMaxLabelBytes = 200;

absl::Status CheckStreamTime(double seconds, double sample_rate_hz, const std::string& field) {
  if (std::isfinite(seconds) && seconds >= 0 && FrameAtStreamTime(seconds, sample_rate_hz).ok()) {
    return absl::OkStatus();
  }
  return BadField(field, absl::StrCat(seconds), "finite, at least 0, and below frame 2^53");
}

absl::Status CheckEntries(const std::vector<int>& map, int device_channels,
                          const std::string& field) {
  if (map.empty() || map.size() > kMaxChannels) {
    return BadField(field, absl::StrCat(map.size(), " entries"), "1 to 1024 entries");
  }
  for (size_t i = 0; i < map.size(); ++i) {
    if (map[i] < 1 || map[i] > device_channels) {
      return BadField(absl::StrCat(field, "[", i, "]"), absl::StrCat(map[i]),
                      absl::StrCat("1 to ", device_channels));
    }
  }
  return absl::OkStatus();
}

std::vector<int> FromZero(const std::vector<int>& map) {
  std::vector<int> channels;
  channels.reserve(map.size());
  for (const int channel : map) channels.push_back(channel - 1);
  return channels;
}

std::vector<int> Straight(int count) {
  std::vector<int> channels(count);
  for (int c = 0; c < count; ++c) channels[c] = c;
  return channels;
}

absl::Status CheckShape(const PlaySpec& play, const std::string& field) {
  absl::Status status = CheckGain(play.gain, field + ".gain");
  if (status.ok()) status = CheckFade(play.fade_in, field + ".fade_in");
  if (status.ok()) status = CheckFade(play.fade_out, field + ".fade_out");
  if (status.ok()) {
    status = CheckFrames(play.offset_frames, 0, kMaxStreamFrame - 1, field + ".offset_frames");
  }
  if (status.ok() && play.max_frames.has_value()) {
    status = CheckFrames(*play.max_frames, 1, kMaxStreamFrame - 1, field + ".max_frames");
  }
  if (status.ok() && play.loop.has_value() && play.loop->passes.has_value()) {
    status = CheckFrames(*play.loop->passes, 1, kMaxStreamFrame - 1, field + ".loop.passes");
  }
  return status;
}

absl::Status CheckPlay(const PlaySpec& play, const StreamShape& shape, const std::string& field) {
  if (absl::Status status = CheckShape(play, field); !status.ok()) return status;
  if (!play.buffer_id.empty()) return absl::OkStatus();
  absl::Status status = CheckChannelCount(play.inline_channels, field + ".inline_audio.channels");
  if (!status.ok()) return status;
  const int64_t frame_bytes = int64_t{play.inline_channels} * BytesPerSample(play.inline_format);
  if (static_cast<int64_t>(play.inline_data.size()) % frame_bytes != 0) {
    return BadField(field + ".inline_audio.data", absl::StrCat(play.inline_data.size(), " bytes"),
                    absl::StrCat("whole frames of ", frame_bytes, " bytes"));
  }
  return ResolvePlayMap(play.channel_map, play.inline_channels, shape, field + ".channel_map")
      .status();
}

absl::Status CheckRecord(const RecordSpec& record, const StreamShape& shape,
                         const std::string& field) {
  if (record.frames.has_value()) {
    absl::Status status = CheckFrames(*record.frames, 0, kMaxStreamFrame - 1, field + ".frames");
    if (!status.ok()) return status;
  }
  if (record.label.size() > kMaxLabelBytes) {
    return BadField(field + ".label", absl::StrCat(record.label.size(), " bytes long"),
                    "at most 200 bytes");
  }
  return ResolveRecordMap(record.channel_map, record.source, shape, field + ".").status();
}

using Keys = absl::flat_hash_map<std::string, int>;  // to their members

absl::Status CheckTarget(const ActionRefSpec& target, const std::string& own_key, const Keys& keys,
                         const std::string& field) {
  if (target.key.empty() && target.action_id.empty()) {
    return BadField(field + ".target", "absent", "a key or an action_id");
  }
  if (target.key.empty()) return absl::OkStatus();
  if (target.key == own_key || !keys.contains(target.key)) {
    return BadField(field + ".key", target.key, "the key of another member of the batch");
  }
  return absl::OkStatus();
}

// Of member `index` of its batch.
absl::Status CheckAfter(const ActionSpec& action, int index, const Keys& keys,
                        const std::string& field) {
  if (action.start.kind != StartSpec::Kind::kAfter) return absl::OkStatus();
  if (!std::holds_alternative<PlaySpec>(action.what) &&
      !std::holds_alternative<RecordSpec>(action.what)) {
    return BadField(field, "set", "absent: only plays and recordings follow another action");
  }
  const ActionRefSpec& after = action.start.after;
  if (after.key.empty()) return absl::OkStatus();
  const auto found = keys.find(after.key);
  if (found == keys.end() || found->second >= index) {
    return BadField(field + ".key", after.key, "the key of an earlier member of the batch");
  }
  return absl::OkStatus();
}

// What starts elsewhere could not wait for an origin by the wall clock.
absl::Status CheckAllCountFromOrigin(const BatchSpec& batch) {
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    const StartSpec& start = batch.actions[i].start;
    if (start.kind == StartSpec::Kind::kOffset ||
        (start.kind == StartSpec::Kind::kAfter && !start.after.key.empty())) {
      continue;
    }
    return BadField(absl::StrCat("actions[", i, "].start"), "a start of its own",
                    "offset_frames, or after a member, in a batch by the wall clock");
  }
  return absl::OkStatus();
}

absl::Status CheckOrigin(const BatchSpec& batch, double sample_rate_hz) {
  if (const int64_t* frame = std::get_if<int64_t>(&batch.origin)) {
    return CheckFrames(*frame, 0, kMaxStreamFrame - 1, "origin_frame");
  }
  if (const double* seconds = std::get_if<double>(&batch.origin)) {
    return CheckStreamTime(*seconds, sample_rate_hz, "origin_stream_time_seconds");
  }
  if (std::holds_alternative<absl::Time>(batch.origin)) return CheckAllCountFromOrigin(batch);
  return absl::OkStatus();
}

// A stream has no origin but its own start.
absl::Status CheckStreamStart(const StartSpec& start, double sample_rate_hz,
                              const std::string& field) {
  if (start.kind == StartSpec::Kind::kOffset && start.frames != 0) {
    return BadField(field + ".offset_frames", absl::StrCat(start.frames), "0");
  }
  if (start.kind == StartSpec::Kind::kAfter && !start.after.key.empty()) {
    return BadField(field + ".after.key", start.after.key,
                    "an action_id: a stream has no batch with keys");
  }
  if (start.kind == StartSpec::Kind::kWallTime) return absl::OkStatus();
  return CheckStart(start, sample_rate_hz, field);
}

}  // namespace

absl::Status CheckKey(const std::string& key, const std::string& field) {
  if (key.size() <= kMaxKeyBytes) return absl::OkStatus();
  return BadField(field, absl::StrCat(key.size(), " bytes long"), "at most 128 bytes");
}

absl::Status CheckFrames(int64_t frames, int64_t min_frames, int64_t max_frames,
                         const std::string& field) {
  if (frames >= min_frames && frames <= max_frames) return absl::OkStatus();
  return BadField(field, absl::StrCat(frames), absl::StrCat(min_frames, " to ", max_frames));
}

absl::Status CheckStart(const StartSpec& start, double sample_rate_hz, const std::string& field) {
  switch (start.kind) {
    case StartSpec::Kind::kOffset:
      return CheckFrames(start.frames, 0, kMaxStreamFrame - 1, field + ".offset_frames");
    case StartSpec::Kind::kFrame:
      return CheckFrames(start.frames, 0, kMaxStreamFrame - 1, field + ".frame");
    case StartSpec::Kind::kStreamTime:
      return CheckStreamTime(start.seconds, sample_rate_hz, field + ".stream_time_seconds");
    case StartSpec::Kind::kAfter:
      if (!start.after.key.empty() || !start.after.action_id.empty()) return absl::OkStatus();
      return BadField(field + ".after", "empty", "a key or an action_id");
    case StartSpec::Kind::kWallTime:
      return BadField(field + ".wall_time", absl::FormatTime(start.wall_time, absl::UTCTimeZone()),
                      "absent: in a batch origin_wall_time says it");
  }
  return absl::OkStatus();
}

absl::Status CheckFade(const Fade& fade, const std::string& field) {
  return CheckFrames(fade.frames, 0, kMaxStreamFrame - 1, field + ".frames");
}

absl::Status CheckChange(const VoiceChangeSpec& change, const std::string& prefix) {
  const auto* const gain = std::get_if<GainChangeSpec>(&change);
  if (gain == nullptr) return absl::OkStatus();
  absl::Status status = CheckGain(gain->gain, prefix + "gain.gain");
  return status.ok() ? CheckFade(gain->fade, prefix + "gain.fade") : status;
}

absl::StatusOr<Loop> ResolveLoop(const PlaySpec& play, int64_t frames, const std::string& prefix) {
  if (!play.loop.has_value()) return Loop{};
  Loop loop;
  loop.begin_frame = play.loop->begin_frame;
  loop.end_frame = play.loop->end_frame.value_or(frames);
  loop.passes = play.loop->passes.value_or(0);
  absl::Status status =
      CheckFrames(loop.begin_frame, 0, std::max<int64_t>(frames - 1, 0), prefix + "begin_frame");
  if (!status.ok()) return status;
  const int64_t least = std::max(loop.begin_frame, play.offset_frames) + 1;
  if (least > frames) {
    return BadField(prefix + "begin_frame", absl::StrCat(loop.begin_frame),
                    absl::StrCat("a loop of 1 or more frames: the sound has ", frames,
                                 " and begins at ", play.offset_frames));
  }
  status = CheckFrames(loop.end_frame, least, frames, prefix + "end_frame");
  if (!status.ok()) return status;
  return loop;
}

std::optional<int64_t> TotalFrames(const PlaySpec& play, const Loop& loop, int64_t frames) {
  int64_t total = frames - play.offset_frames;
  int64_t looped = 0;
  const bool endless =
      loop.passes == 0 ||
      __builtin_mul_overflow(loop.passes - 1, loop.end_frame - loop.begin_frame, &looped) ||
      __builtin_add_overflow(total, looped, &total) || total >= kMaxStreamFrame;
  if (endless) return play.max_frames;
  return std::min(total, play.max_frames.value_or(total));
}

VoiceChange ToVoiceChange(const VoiceChangeSpec& change) {
  VoiceChange made;
  if (const auto* gain = std::get_if<GainChangeSpec>(&change)) {
    made.kind = VoiceChange::Kind::kGain;
    made.gain = gain->gain;
    made.fade = gain->fade;
  } else if (std::holds_alternative<PauseSpec>(change)) {
    made.kind = VoiceChange::Kind::kPause;
  } else if (std::holds_alternative<ResumeSpec>(change)) {
    made.kind = VoiceChange::Kind::kResume;
  } else {
    made.kind = VoiceChange::Kind::kLeaveLoop;
    made.at_once = std::get<LeaveLoopSpec>(change).at_once;
  }
  return made;
}

absl::Status CheckGain(float gain, const std::string& field) {
  return std::isfinite(gain) ? absl::OkStatus() : BadField(field, absl::StrCat(gain), "finite");
}

absl::Status CheckChannelCount(int channels, const std::string& field) {
  return CheckFrames(channels, 1, kMaxChannels, field);
}

absl::StatusOr<std::vector<int>> ResolvePlayMap(const ChannelMapSpec& map, int sound_channels,
                                                const StreamShape& shape,
                                                const std::string& field) {
  if (shape.output_channels == 0) {
    return BadField(field, "a sound", "a recording: the stream has no outputs");
  }
  if (!map.has_value()) {
    if (sound_channels <= shape.output_channels) return Straight(sound_channels);
    return BadField(field, "absent",
                    absl::StrCat("given: the sound has ", sound_channels,
                                 " channels, the stream has ", shape.output_channels, " outputs"));
  }
  absl::Status status = CheckEntries(*map, shape.output_channels, field + ".channels");
  if (!status.ok()) return status;
  if (static_cast<int>(map->size()) != sound_channels) {
    return BadField(field + ".channels", absl::StrCat(map->size(), " entries"),
                    absl::StrCat(sound_channels, ", one for each channel of the sound"));
  }
  return FromZero(*map);
}

absl::StatusOr<std::vector<int>> ResolveRecordMap(const ChannelMapSpec& map, RecordSource source,
                                                  const StreamShape& shape,
                                                  const std::string& prefix) {
  const int channels = shape.channels(source);
  if (channels == 0) {
    const bool input = source == RecordSource::kInput;
    return BadField(
        prefix + "source", input ? "input" : "output",
        input ? "output: the stream has no inputs" : "input: the stream has no outputs");
  }
  if (!map.has_value()) return Straight(channels);
  absl::Status status = CheckEntries(*map, channels, prefix + "channel_map.channels");
  if (!status.ok()) return status;
  return FromZero(*map);
}

absl::Status CheckBatch(const BatchSpec& batch, const StreamShape& shape, const Limits& limits) {
  if (absl::Status status = CheckOrigin(batch, shape.sample_rate_hz); !status.ok()) return status;
  if (batch.actions.empty()) return BadField("actions", "empty", "1 or more actions");
  if (static_cast<int64_t>(batch.actions.size()) > limits.max_batch_actions) {
    return LimitExceeded("max_batch_actions", absl::StrCat(batch.actions.size()),
                         absl::StrCat(limits.max_batch_actions));
  }
  Keys keys;
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    const std::string& key = batch.actions[i].key;
    const std::string field = absl::StrCat("actions[", i, "].key");
    if (absl::Status status = CheckKey(key, field); !status.ok()) return status;
    if (!key.empty() && !keys.emplace(key, i).second) {
      return BadField(field, key, "unique in the batch");
    }
  }
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    const ActionSpec& action = batch.actions[i];
    const std::string field = absl::StrCat("actions[", i, "]");
    absl::Status status = CheckStart(action.start, shape.sample_rate_hz, field + ".start");
    if (!status.ok()) return status;
    if (const auto* play = std::get_if<PlaySpec>(&action.what)) {
      status = CheckPlay(*play, shape, field + ".play");
    } else if (const auto* record = std::get_if<RecordSpec>(&action.what)) {
      status = CheckRecord(*record, shape, field + ".record");
    } else if (const auto* cancel = std::get_if<CancelSpec>(&action.what)) {
      status = CheckTarget(cancel->target, action.key, keys, field + ".cancel");
      if (status.ok()) status = CheckFade(cancel->fade, field + ".cancel.fade");
    } else if (const auto* change = std::get_if<ChangeSpec>(&action.what)) {
      status = CheckTarget(change->target, action.key, keys, field + ".change");
      if (status.ok()) status = CheckChange(change->change, field + ".change.");
    }
    if (status.ok()) {
      status = CheckAfter(action, static_cast<int>(i), keys, field + ".start.after");
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckPlayStream(const PlayStreamSpec& spec, const StreamShape& shape,
                             const Limits& limits, const std::string& prefix) {
  absl::Status status = CheckChannelCount(spec.channels, prefix + "channels");
  if (status.ok()) status = CheckStreamStart(spec.start, shape.sample_rate_hz, prefix + "start");
  if (status.ok()) status = CheckGain(spec.gain, prefix + "gain");
  if (status.ok()) status = CheckFade(spec.fade_in, prefix + "fade_in");
  if (status.ok()) status = CheckFade(spec.fade_out, prefix + "fade_out");
  if (status.ok() && spec.max_frames.has_value()) {
    status = CheckFrames(*spec.max_frames, 1, kMaxStreamFrame - 1, prefix + "max_frames");
  }
  if (status.ok() && spec.fade_out.frames > 0 && !spec.max_frames.has_value()) {
    return BadField(prefix + "fade_out.frames", absl::StrCat(spec.fade_out.frames),
                    "0 without max_frames: the end is not known");
  }
  if (status.ok()) {
    status =
        ResolvePlayMap(spec.channel_map, spec.channels, shape, prefix + "channel_map").status();
  }
  if (status.ok()) {
    status = CheckFrames(spec.ring_frames, 0, std::numeric_limits<int64_t>::max(),
                         prefix + "ring_frames");
  }
  if (status.ok() && spec.ring_frames > limits.max_ring_frames) {
    return LimitExceeded("max_ring_frames", absl::StrCat(spec.ring_frames),
                         absl::StrCat(limits.max_ring_frames));
  }
  return status;
}

absl::Status CheckRecordStream(const RecordStreamSpec& spec, const StreamShape& shape,
                               const Limits& limits, const std::string& prefix) {
  absl::Status status = CheckStreamStart(spec.start, shape.sample_rate_hz, prefix + "start");
  if (status.ok() && spec.frames.has_value()) {
    status = CheckFrames(*spec.frames, 0, kMaxStreamFrame - 1, prefix + "frames");
  }
  absl::StatusOr<std::vector<int>> map;
  if (status.ok()) {
    map = ResolveRecordMap(spec.channel_map, spec.source, shape, prefix);
    status = map.status();
  }
  if (!status.ok()) return status;
  const int64_t frame_bytes =
      static_cast<int64_t>(map->size()) * BytesPerSample(spec.sample_format);
  status = CheckFrames(spec.chunk_frames, 0, limits.max_chunk_bytes / frame_bytes,
                       prefix + "chunk_frames");
  if (!status.ok()) return status;
  return CheckFrames(spec.granted_position, 0, kMaxStreamFrame - 1, prefix + "granted_position");
}

}  // namespace rtmixd
