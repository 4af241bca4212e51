#include "tests/fuzz/engine_requests.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "server/control/wire_audio.h"

namespace rtmixd {
namespace {

LatePolicy ChooseLatePolicy(Choices* choices) {
  return choices->OneOf({LatePolicy::kPlay, LatePolicy::kSkip, LatePolicy::kTrim});
}

ChannelMapSpec ChooseMap(int channels, Choices* choices) {
  if (!choices->OneIn(3)) return std::nullopt;
  std::vector<int> map;
  if (choices->OneIn(20)) channels = static_cast<int>(choices->Between(0, 20));
  for (int i = 0; i < channels; ++i) {
    map.push_back(choices->OneIn(30) ? static_cast<int>(choices->Between(-1, 100))
                                     : static_cast<int>(choices->Between(1, 2)));
  }
  return map;
}

ActionRefSpec ChooseRef(const RequestContext& context, const std::vector<ActionSpec>& members,
                        Choices* choices) {
  ActionRefSpec ref;
  const bool of_batch = !members.empty() && !choices->OneIn(3);
  if (of_batch)
    ref.key = members[choices->Between(0, static_cast<int64_t>(members.size()) - 1)].key;
  if (!of_batch || choices->OneIn(50)) ref.action_id = choices->IdOf(context.action_ids);
  return ref;
}

StartSpec ChooseStart(const RequestContext& context, const std::vector<ActionSpec>& members,
                      Choices* choices) {
  StartSpec start;
  start.kind = choices->OneOf({StartSpec::Kind::kOffset, StartSpec::Kind::kOffset,
                               StartSpec::Kind::kFrame, StartSpec::Kind::kAfter,
                               StartSpec::Kind::kStreamTime, StartSpec::Kind::kWallTime});
  switch (start.kind) {
    case StartSpec::Kind::kOffset:
      start.frames = choices->Frames();
      break;
    case StartSpec::Kind::kFrame:
      start.frames = choices->FrameNear(context.next_frame);
      break;
    case StartSpec::Kind::kStreamTime:
      start.seconds = choices->OneIn(20)
                          ? choices->Seconds()
                          : static_cast<double>(choices->FrameNear(context.next_frame)) /
                                context.sample_rate_hz;
      break;
    case StartSpec::Kind::kWallTime:
      start.wall_time = context.wall_now + absl::Milliseconds(choices->Between(-100, 3000));
      if (choices->OneIn(20)) {
        start.wall_time = choices->OneOf({absl::InfiniteFuture(), absl::InfinitePast()});
      }
      break;
    case StartSpec::Kind::kAfter:
      start.after = ChooseRef(context, members, choices);
      break;
  }
  return start;
}

PlaySpec ChoosePlay(const RequestContext& context, Choices* choices) {
  PlaySpec play;
  int channels = choices->OneIn(20) ? static_cast<int>(choices->Between(-1, 9))
                                    : static_cast<int>(choices->Between(1, 2));
  const int64_t frames = choices->OneOf<int64_t>({100, 0, 1, choices->Between(0, 1000)});
  if (choices->OneIn(3)) {
    play.buffer_id = choices->IdOf(context.buffer_ids);
  } else {
    play.inline_channels = channels;
    play.inline_format = ChooseFormat(choices);
    play.inline_data = ChooseAudio(channels, play.inline_format, frames, choices);
  }
  play.gain = choices->Gain();
  play.channel_map = ChooseMap(channels, choices);
  play.xrun_policy = choices->OneOf({XrunPolicy::kContinue, XrunPolicy::kKeepTimeline});
  if (choices->OneIn(3)) play.fade_in = ChooseFade(choices);
  if (choices->OneIn(3)) play.fade_out = ChooseFade(choices);
  if (choices->OneIn(4)) play.offset_frames = choices->Frames();
  if (choices->OneIn(4)) play.max_frames = choices->Frames();
  if (choices->OneIn(3)) {
    play.loop.emplace();
    if (choices->OneIn(2)) play.loop->begin_frame = choices->Frames();
    if (choices->OneIn(2)) play.loop->end_frame = choices->Frames();
    if (choices->OneIn(2))
      play.loop->passes = choices->OneIn(20) ? choices->Absurd() : choices->Between(0, 9);
  }
  return play;
}

RecordSpec ChooseRecord(const RequestContext& context, Choices* choices) {
  RecordSpec record;
  if (choices->OneIn(4)) record.buffer_id = choices->IdOf(context.buffer_ids);
  if (!choices->OneIn(3)) record.frames = choices->Frames();
  record.channel_map = ChooseMap(2, choices);
  record.source = choices->OneOf({RecordSource::kInput, RecordSource::kOutput});
  if (choices->OneIn(8)) record.label = choices->Bytes(8);
  record.keep = choices->OneIn(8);
  record.leave_open = choices->OneIn(8);
  return record;
}

ActionSpec ChooseMember(const RequestContext& context, const std::vector<ActionSpec>& members,
                        Choices* choices) {
  ActionSpec action;
  action.key = std::to_string(members.size());
  if (choices->OneIn(40)) action.key = choices->OneOf<const char*>({"", "0", "key"});
  action.late_policy = ChooseLatePolicy(choices);
  switch (choices->Between(0, 7)) {
    case 0:
    case 1:
    case 2:
      action.what = ChoosePlay(context, choices);
      break;
    case 3:
    case 4:
      action.what = ChooseRecord(context, choices);
      break;
    case 5: {
      CancelSpec cancel;
      cancel.target = ChooseRef(context, members, choices);
      if (choices->OneIn(2)) cancel.fade = ChooseFade(choices);
      action.what = std::move(cancel);
      break;
    }
    case 6:
      action.what = StatsSpec{.reset_baseline = choices->OneIn(2)};
      break;
    default: {
      ChangeSpec change;
      change.target = ChooseRef(context, members, choices);
      change.change = ChooseChange(choices);
      action.what = std::move(change);
      break;
    }
  }
  action.start = ChooseStart(context, members, choices);
  return action;
}

}  // namespace

SessionSpec ChooseSession(Choices* choices) {
  SessionSpec spec;
  spec.label = "fuzz";
  spec.ttl = choices->OneOf({absl::Minutes(30), absl::Seconds(2), absl::Seconds(1),
                             absl::Milliseconds(choices->Between(0, 5000))});
  if (choices->OneIn(5)) spec.max_lifetime = absl::Milliseconds(choices->Between(-1, 100000));
  if (choices->OneIn(40))
    spec.ttl = choices->OneOf({absl::InfiniteDuration(), -absl::InfiniteDuration()});
  spec.exclusive = choices->OneIn(5);
  if (choices->OneIn(8)) spec.request_id = choices->OneOf<const char*>({"r1", "r2"});
  return spec;
}

StreamSettings ChooseSettings(double sample_rate_hz, Choices* choices) {
  StreamSettings settings;
  const auto channels = [choices] {
    return choices->OneIn(20) ? static_cast<int>(choices->Between(-2, 1000))
                              : static_cast<int>(choices->OneOf({2, 1, 0, -1}));
  };
  settings.input.channels = channels();
  settings.output.channels = channels();
  settings.sample_rate_hz = choices->OneIn(10) ? choices->Seconds() * 1e5 : sample_rate_hz;
  settings.block_frames = choices->OneIn(20) ? static_cast<int>(choices->Between(-1, 1 << 20)) : 64;
  if (choices->OneIn(20))
    settings.output.device = choices->OneOf<const char*>({"device", "other", "-1", "0"});
  if (choices->OneIn(20)) {
    settings.input.latency = {LatencyRequest::Kind::kSeconds, choices->Seconds()};
  }
  return settings;
}

BufferSpec ChooseBuffer(double sample_rate_hz, Choices* choices) {
  BufferSpec spec;
  spec.channels = choices->OneIn(20) ? static_cast<int>(choices->Between(-1, 2000))
                                     : static_cast<int>(choices->Between(1, 2));
  spec.sample_rate_hz = choices->OneIn(10) ? choices->Seconds() * 1e5 : sample_rate_hz;
  spec.keep = choices->OneIn(6);
  if (choices->OneIn(10)) spec.label = choices->Bytes(300);
  if (choices->OneIn(4)) spec.expected_frames = choices->Frames();
  if (choices->OneIn(8)) spec.request_id = choices->OneOf<const char*>({"r1", "r2"});
  return spec;
}

BatchSpec ChooseBatch(const RequestContext& context, Choices* choices) {
  BatchSpec batch;
  switch (choices->Between(0, 5)) {
    case 3:
      batch.origin = choices->FrameNear(context.next_frame);
      break;
    case 4:
      batch.origin = choices->OneIn(20)
                         ? choices->Seconds()
                         : static_cast<double>(choices->FrameNear(context.next_frame)) /
                               context.sample_rate_hz;
      break;
    case 5:
      batch.origin = context.wall_now + absl::Milliseconds(choices->Between(-100, 3000));
      if (choices->OneIn(20)) {
        batch.origin = choices->OneOf({absl::InfiniteFuture(), absl::InfinitePast(), absl::Time(),
                                       context.wall_now + absl::Hours(choices->Between(-50, 50))});
      }
      break;
    default:
      break;
  }
  batch.prepare = choices->OneIn(6);
  batch.align_at_converters = choices->OneIn(5);
  const int64_t members = choices->OneIn(10) ? choices->Between(0, 14) : choices->Between(1, 4);
  for (int64_t i = 0; i < members; ++i) {
    batch.actions.push_back(ChooseMember(context, batch.actions, choices));
  }
  if (choices->OneIn(8)) {
    batch.request_id = choices->OneOf<const char*>({"r1", "r2"});
    batch.fingerprint = choices->OneOf<const char*>({"f1", "f2"});
  }
  return batch;
}

PlayStreamSpec ChoosePlayStream(const RequestContext& context, Choices* choices) {
  PlayStreamSpec spec;
  spec.channels = choices->OneIn(20) ? static_cast<int>(choices->Between(-1, 2000))
                                     : static_cast<int>(choices->Between(1, 2));
  spec.sample_format = ChooseFormat(choices);
  if (choices->OneIn(3)) spec.start = ChooseStart(context, {}, choices);
  spec.late_policy = ChooseLatePolicy(choices);
  spec.underrun_policy = choices->OneOf(
      {UnderrunPolicy::kSilence, UnderrunPolicy::kEnd, UnderrunPolicy::kKeepTimeline});
  spec.xrun_policy = choices->OneOf({XrunPolicy::kContinue, XrunPolicy::kKeepTimeline});
  spec.gain = choices->Gain();
  spec.channel_map = ChooseMap(spec.channels, choices);
  spec.ring_frames = choices->OneOf<int64_t>({1024, 0, choices->Frames()});
  spec.prebuffer_frames = choices->OneOf<int64_t>({0, 64, choices->Frames()});
  spec.reattachable = choices->OneIn(2);
  if (choices->OneIn(3)) spec.fade_in = ChooseFade(choices);
  if (choices->OneIn(3)) spec.fade_out = ChooseFade(choices);
  if (choices->OneIn(4)) spec.max_frames = choices->Frames();
  if (choices->OneIn(5)) spec.reattach_action_id = choices->IdOf(context.action_ids);
  return spec;
}

RecordStreamSpec ChooseRecordStream(const RequestContext& context, Choices* choices) {
  RecordStreamSpec spec;
  spec.sample_format = ChooseFormat(choices);
  if (choices->OneIn(3)) spec.start = ChooseStart(context, {}, choices);
  spec.late_policy = ChooseLatePolicy(choices);
  if (choices->OneIn(2)) spec.frames = choices->Frames();
  spec.channel_map = ChooseMap(2, choices);
  spec.source = choices->OneOf({RecordSource::kInput, RecordSource::kOutput});
  spec.chunk_frames =
      static_cast<int>(choices->OneOf<int64_t>({64, 0, choices->Between(-1, 100000)}));
  spec.granted_position = choices->Frames();
  spec.grant_all = choices->OneIn(2);
  spec.reattachable = choices->OneIn(2);
  if (choices->OneIn(5)) spec.reattach_action_id = choices->IdOf(context.action_ids);
  if (choices->OneIn(4)) spec.resume_position = choices->Frames();
  return spec;
}

GainChangeSpec ChooseGainChange(Choices* choices) {
  return {.gain = choices->Gain(), .fade = ChooseFade(choices)};
}

VoiceChangeSpec ChooseChange(Choices* choices) {
  switch (choices->Between(0, 3)) {
    case 0:
      return ChooseGainChange(choices);
    case 1:
      return PauseSpec{};
    case 2:
      return ResumeSpec{};
    default:
      return LeaveLoopSpec{.at_once = choices->OneIn(2)};
  }
}

Fade ChooseFade(Choices* choices) {
  return {.frames = choices->Frames(),
          .shape = choices->OneOf({FadeShape::kLinear, FadeShape::kEqualPower})};
}

SampleFormat ChooseFormat(Choices* choices) {
  return choices->OneOf(
      {SampleFormat::kFloat32, SampleFormat::kInt16, SampleFormat::kInt24, SampleFormat::kInt32});
}

std::string ChooseAudio(int channels, SampleFormat format, int64_t frames, Choices* choices) {
  const int64_t size = std::clamp<int64_t>(channels, 1, 64) * frames * BytesPerSample(format);
  std::string bytes(size, '\0');
  for (int64_t i = 0; i < size; ++i) {
    // As floats these are finite.
    bytes[i] = static_cast<char>((i % 4 == 3) ? 0x3e + (i % 8 == 3) * 0x80 : i * 37);
  }
  if (choices->OneIn(10)) {
    const std::string own = choices->Bytes(16);
    bytes.replace(0, std::min(own.size(), bytes.size()), own);
  }
  if (choices->OneIn(30)) bytes += '\1';
  return bytes;
}

}  // namespace rtmixd
