// Audio streams: their admission, their calls coming and going.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"
#include "server/control/play_stream_impl.h"
#include "server/control/record_stream_impl.h"
#include "server/control/wire_audio.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {
namespace {

// What a client gets that does not say.
constexpr double kRingSeconds = 0.5;
constexpr double kChunkSeconds = 0.01;

bool StartsNow(const StartSpec& start) { return start.kind == StartSpec::Kind::kOffset; }

std::optional<absl::Time> WallTimeOf(const StartSpec& start) {
  if (start.kind != StartSpec::Kind::kWallTime) return std::nullopt;
  return start.wall_time;
}

// A stream by the wall clock counts from that moment, its origin.
StartSpec FromOrigin(const StartSpec& start) {
  return WallTimeOf(start).has_value() ? StartSpec{} : start;
}

// Makes a recording go on at `resume_position` for the call that takes it over.
absl::Status Rewind(Action& action, int64_t resume_position, const std::string& field) {
  if (action.recording()->Rewind(resume_position)) return absl::OkStatus();
  return MakeError(absl::StatusCode::kInvalidArgument,
                   {.reason = ErrorReason::kBadPosition,
                    .field = field,
                    .value = absl::StrCat(resume_position),
                    .limit = absl::StrCat("0 to ", action.recording()->status().copied_frames)});
}

}  // namespace

absl::StatusOr<std::shared_ptr<void>> EngineImpl::TakeStreamSlot() {
  if (open_streams_->load() >= limits_.max_audio_streams) {
    return LimitExceeded("max_audio_streams", absl::StrCat(open_streams_->load() + 1),
                         absl::StrCat(limits_.max_audio_streams));
  }
  ++*open_streams_;
  // The deleter is all there is to it.
  return std::shared_ptr<void>(nullptr, [open = open_streams_](void*) { --*open; });
}

absl::StatusOr<EngineImpl::PlayRing> EngineImpl::MakePlayRing(const std::string& session_id,
                                                              const PlayStreamSpec& spec,
                                                              const std::string& prefix) {
  PlayRing ring;
  std::shared_ptr<ByteBudget> budget;
  {
    Lock lock(this);
    absl::Status status = CheckMayWork(session_id);
    if (status.ok()) status = CheckStream();
    if (status.ok()) status = CheckPlayStream(spec, Shape(), limits_, prefix);
    if (!status.ok()) return status;
    ring.frames = spec.ring_frames > 0
                      ? spec.ring_frames
                      : std::clamp<int64_t>(static_cast<int64_t>(stream_->rate_hz() * kRingSeconds),
                                            1, limits_.max_ring_frames);
    status = CheckFrames(spec.prebuffer_frames, 0, ring.frames, prefix + "prebuffer_frames");
    if (!status.ok()) return status;
    auto slot = TakeStreamSlot();
    if (!slot.ok()) return slot.status();
    ring.slot = *std::move(slot);
    ring.stream = stream_;
    budget = buffers_.Budget(session_id);
  }
  const int64_t bytes = PlayFeed::MemoryBytes(spec.channels, ring.frames);
  if (absl::Status status = budget->Reserve(bytes); !status.ok()) return status;
  ring.feed =
      std::shared_ptr<PlayFeed>(new PlayFeed(spec.channels, ring.frames, spec.prebuffer_frames),
                                [budget, bytes](PlayFeed* feed) {
                                  delete feed;
                                  budget->Release(bytes);
                                });
  return ring;
}

absl::Status EngineImpl::CheckStillThere(const std::string& session_id, const PlayRing& ring) {
  if (absl::Status status = CheckMayWork(session_id); !status.ok()) return status;
  if (ring.stream == stream_) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kNoStream},
                   "the stream was closed meanwhile");
}

std::shared_ptr<Action> EngineImpl::MakePlayAction(const std::shared_ptr<ActionCommon>& common,
                                                   const PlayStreamSpec& spec,
                                                   const std::string& prefix,
                                                   const PlayRing& ring) {
  auto action = std::make_shared<Action>();
  action->number = actions_.TakeNumber();
  action->common = common;
  SetStart(FromOrigin(spec.start), action.get());
  action->late_policy = spec.late_policy;
  action->xrun_policy = spec.xrun_policy;
  action->setup = std::make_unique<PlaySetup>();
  Voice::Spec& voice = action->setup->spec;
  voice.sequence = action->number;
  voice.late_policy = spec.late_policy;
  voice.underrun_policy = spec.underrun_policy;
  voice.gain = spec.gain;
  voice.fade_in = spec.fade_in;
  voice.fade_out = spec.fade_out;
  voice.channel_map =
      *ResolvePlayMap(spec.channel_map, spec.channels, Shape(), prefix + "channel_map");
  voice.max_frames = spec.max_frames.value_or(Voice::kNoFrame);
  voice.owner = action.get();
  action->set_total_frames(spec.max_frames);
  action->kind = ActionKind::kPlayStream;
  auto feed = std::make_unique<PlayFeedState>();
  feed->feed = ring.feed;
  feed->channels = spec.channels;
  feed->ring_frames = ring.frames;
  // What starts at a frame starts there, whatever has come by then.
  feed->handed_over = !StartsNow(spec.start);
  action->of_kind = std::move(feed);
  action->MutableLinks().call = std::make_shared<StreamCall>();
  action->reattachable = spec.reattachable;
  return action;
}

absl::StatusOr<std::shared_ptr<Action>> EngineImpl::MakeRecordAction(
    const std::shared_ptr<ActionCommon>& common, const RecordStreamSpec& spec,
    const std::string& prefix) {
  absl::Status status = CheckRecordStream(spec, Shape(), limits_, prefix);
  if (!status.ok()) return status;
  auto action = std::make_shared<Action>();
  action->number = actions_.TakeNumber();
  action->common = common;
  SetStart(FromOrigin(spec.start), action.get());
  action->late_policy = spec.late_policy;
  action->source = spec.source;
  action->kind = ActionKind::kRecordStream;
  action->set_total_frames(spec.frames);
  action->of_kind = std::make_unique<RecordState>();
  action->record()->stream = stream_;
  action->record()->recording = std::make_shared<Recording>(
      Recording::Spec{.source = {.owner = stream_,
                                 .history = &stream_->history(spec.source),
                                 .sample_rate_hz = stream_->rate_hz()},
                      .channels = *ResolveRecordMap(spec.channel_map, spec.source, Shape(), prefix),
                      .total_frames = spec.frames,
                      .late_policy = spec.late_policy});
  for (const LiveStream::Hole& hole : stream_->holes()) {
    action->recording()->AddHole(hole.first_frame, hole.frames);
  }
  action->MutableLinks().call = std::make_shared<StreamCall>();
  action->reattachable = spec.reattachable;
  // From now on, since it may end while it is admitted, before its call has the recording.
  action->attached = true;
  return action;
}

absl::Status EngineImpl::AdmitStreams(const std::vector<std::shared_ptr<Action>>& actions,
                                      int64_t record_shift_frames,
                                      std::optional<absl::Time> wall_origin) {
  const std::shared_ptr<ActionCommon>& common = actions.front()->common;
  absl::Status status =
      actions_.CheckRoom(common->session_id, static_cast<int64_t>(actions.size()));
  if (!status.ok()) return status;
  common->wall_origin = wall_origin;
  auto submission = std::make_unique<Submission>();
  submission->common = common;
  common->submission = submission.get();
  submission->stream = stream_;
  submission->members = actions;
  submission->record_shift_frames = record_shift_frames;
  submission->waiting = wall_origin.has_value();
  if (submission->waiting) submission->record_shift_frames = RoundTripFrames();
  bool origin_comes_with_audio = false;
  for (const std::shared_ptr<Action>& action : actions) {
    if (action->play_feed() != nullptr && !action->play_feed()->handed_over) {
      origin_comes_with_audio = true;
    }
  }
  if (!origin_comes_with_audio && !submission->waiting) submission->origin = NextFrame();
  return Admit(std::move(submission));
}

std::unique_ptr<PlayStream> EngineImpl::MakePlayStream(const std::shared_ptr<Action>& action,
                                                       const PlayStreamSpec& spec,
                                                       ChangeCallback on_change,
                                                       std::shared_ptr<void> slot) {
  action->attached = true;
  return std::make_unique<PlayStreamImpl>(
      this, action, spec.sample_format, limits_.max_chunk_bytes,
      action->links->call->signal.Subscribe(std::move(on_change)), std::move(slot));
}

std::unique_ptr<RecordStream> EngineImpl::MakeRecordStream(const std::shared_ptr<Action>& action,
                                                           const RecordStreamSpec& spec,
                                                           ChangeCallback on_change,
                                                           std::shared_ptr<void> slot) {
  action->attached = true;
  RecordStreamImpl::Options options;
  options.format = spec.sample_format;
  const int64_t frame_bytes =
      int64_t{action->recording()->channels()} * BytesPerSample(spec.sample_format);
  options.chunk_frames = static_cast<int>(std::clamp<int64_t>(
      spec.chunk_frames > 0 ? spec.chunk_frames
                            : static_cast<int64_t>(stream_->rate_hz() * kChunkSeconds),
      1, std::max<int64_t>(limits_.max_chunk_bytes / frame_bytes, 1)));
  options.granted_position = spec.grant_all ? Recording::kNever : spec.granted_position;
  action->links->call->wake_position = action->recording()->status().copied_frames + 1;
  return std::make_unique<RecordStreamImpl>(
      this, action, options, action->links->call->signal.Subscribe(std::move(on_change)),
      std::move(slot));
}

absl::StatusOr<std::shared_ptr<Action>> EngineImpl::Reattach(const std::string& session_id,
                                                             const std::string& action_id,
                                                             ActionKind kind,
                                                             const std::string& field) {
  if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  absl::StatusOr<std::shared_ptr<Action>> action = actions_.Find(session_id, action_id, field);
  if (!action.ok()) return action.status();
  if ((*action)->kind != kind) {
    return BadField(field, action_id,
                    kind == ActionKind::kPlayStream ? "a play stream" : "a record stream");
  }
  const char* wrong = nullptr;
  if ((*action)->over && !(*action)->reattachable) wrong = "an action that has not ended";
  if ((*action)->over && kind == ActionKind::kRecordStream && (*action)->recording() == nullptr) {
    wrong = "an action that has not ended, or a recording of the open stream";
  }
  if ((*action)->attached) wrong = "an action without a call";
  if (wrong != nullptr) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition,
        {.reason = ErrorReason::kWrongState, .field = field, .value = action_id, .limit = wrong});
  }
  return action;
}

absl::StatusOr<std::unique_ptr<PlayStream>> EngineImpl::ReattachPlay(const std::string& session_id,
                                                                     const PlayStreamSpec& spec,
                                                                     ChangeCallback on_change) {
  Lock lock(this);
  auto action =
      Reattach(session_id, spec.reattach_action_id, ActionKind::kPlayStream, "reattach_action_id");
  if (!action.ok()) return action.status();
  auto slot = TakeStreamSlot();
  if (!slot.ok()) return slot.status();
  events_.Append(Event(EventKind::kCallReattached, **action));
  return MakePlayStream(*action, spec, std::move(on_change), *std::move(slot));
}

absl::StatusOr<std::unique_ptr<PlayStream>> EngineImpl::OpenPlay(const std::string& session_id,
                                                                 const PlayStreamSpec& spec,
                                                                 ChangeCallback on_change) {
  if (!spec.reattach_action_id.empty()) {
    return ReattachPlay(session_id, spec, std::move(on_change));
  }
  const auto ring = MakePlayRing(session_id, spec, "");
  if (!ring.ok()) return ring.status();
  Lock lock(this);
  absl::Status status = CheckStillThere(session_id, *ring);
  if (!status.ok()) return status;
  const std::shared_ptr<Action> action = MakePlayAction(MakeCommon(session_id), spec, "", *ring);
  status = FollowIfAsked(action, spec.start, "start.after");
  if (!status.ok()) return status;
  status = AdmitStreams({action}, 0, WallTimeOf(spec.start));
  if (!status.ok()) return status;
  if (!action->over) feeds_.push_back(action);
  return MakePlayStream(action, spec, std::move(on_change), ring->slot);
}

absl::StatusOr<std::unique_ptr<RecordStream>> EngineImpl::OpenRecord(const std::string& session_id,
                                                                     const RecordStreamSpec& spec,
                                                                     ChangeCallback on_change) {
  Lock lock(this);
  if (!spec.reattach_action_id.empty()) {
    auto action = Reattach(session_id, spec.reattach_action_id, ActionKind::kRecordStream,
                           "reattach_action_id");
    if (!action.ok()) return action.status();
    auto slot = TakeStreamSlot();
    if (!slot.ok()) return slot.status();
    absl::Status status = Rewind(**action, spec.resume_position, "resume_position");
    if (!status.ok()) return status;
    events_.Append(Event(EventKind::kCallReattached, **action));
    return MakeRecordStream(*action, spec, std::move(on_change), *std::move(slot));
  }
  absl::Status status = CheckMayWork(session_id);
  if (status.ok()) status = CheckStream();
  if (!status.ok()) return status;
  auto action = MakeRecordAction(MakeCommon(session_id), spec, "");
  if (!action.ok()) return action.status();
  status = FollowIfAsked(*action, spec.start, "start.after");
  if (!status.ok()) return status;
  auto slot = TakeStreamSlot();
  if (!slot.ok()) return slot.status();
  status = AdmitStreams({*action}, 0, WallTimeOf(spec.start));
  if (!status.ok()) return status;
  return MakeRecordStream(*action, spec, std::move(on_change), *std::move(slot));
}

absl::StatusOr<Engine::DuplexStream> EngineImpl::OpenDuplex(const std::string& session_id,
                                                            const PlayStreamSpec& play,
                                                            const RecordStreamSpec& record,
                                                            bool align_at_converters,
                                                            ChangeCallback on_change) {
  if (!play.reattach_action_id.empty() || !record.reattach_action_id.empty()) {
    return ReattachDuplex(session_id, play, record, std::move(on_change));
  }
  const std::optional<absl::Time> wall_origin = WallTimeOf(play.start);
  if (WallTimeOf(record.start) != wall_origin) {
    return BadField("record.start.wall_time", "another moment", "that of play.start, both or none");
  }
  const auto ring = MakePlayRing(session_id, play, "play.");
  if (!ring.ok()) return ring.status();
  Lock lock(this);
  absl::Status status = CheckStillThere(session_id, *ring);
  if (!status.ok()) return status;
  const std::shared_ptr<ActionCommon> common = MakeCommon(session_id);
  const auto record_action = MakeRecordAction(common, record, "record.");
  if (!record_action.ok()) return record_action.status();
  const std::shared_ptr<Action> play_action = MakePlayAction(common, play, "play.", *ring);
  const int64_t shift = align_at_converters ? RoundTripFrames() : 0;
  status = FollowIfAsked(play_action, play.start, "play.start.after");
  if (status.ok()) status = FollowIfAsked(*record_action, record.start, "record.start.after");
  if (!status.ok()) return status;
  status = AdmitStreams({play_action, *record_action}, shift, wall_origin);
  if (!status.ok()) return status;
  if (!play_action->over) feeds_.push_back(play_action);
  DuplexStream duplex;
  duplex.play = MakePlayStream(play_action, play, on_change, ring->slot);
  duplex.record = MakeRecordStream(*record_action, record, on_change, ring->slot);
  return duplex;
}

absl::StatusOr<Engine::DuplexStream> EngineImpl::ReattachDuplex(const std::string& session_id,
                                                                const PlayStreamSpec& play,
                                                                const RecordStreamSpec& record,
                                                                ChangeCallback on_change) {
  // One alone would leave the other half of the call without an action.
  if (play.reattach_action_id.empty()) {
    return BadField("play.reattach_action_id", "", "set, as record.reattach_action_id is");
  }
  if (record.reattach_action_id.empty()) {
    return BadField("record.reattach_action_id", "", "set, as play.reattach_action_id is");
  }
  Lock lock(this);
  auto play_action = Reattach(session_id, play.reattach_action_id, ActionKind::kPlayStream,
                              "play.reattach_action_id");
  if (!play_action.ok()) return play_action.status();
  auto record_action = Reattach(session_id, record.reattach_action_id, ActionKind::kRecordStream,
                                "record.reattach_action_id");
  if (!record_action.ok()) return record_action.status();
  auto slot = TakeStreamSlot();
  if (!slot.ok()) return slot.status();
  absl::Status status = Rewind(**record_action, record.resume_position, "record.resume_position");
  if (!status.ok()) return status;
  events_.Append(Event(EventKind::kCallReattached, **play_action));
  events_.Append(Event(EventKind::kCallReattached, **record_action));
  DuplexStream duplex;
  duplex.play = MakePlayStream(*play_action, play, on_change, *slot);
  duplex.record = MakeRecordStream(*record_action, record, std::move(on_change), *std::move(slot));
  return duplex;
}

// --- What the streams' objects need ---

bool EngineImpl::FeedChanged(const std::shared_ptr<Action>& action, int64_t flushed_position,
                             bool enough) {
  Lock lock(this);
  PlayFeedState& state = *action->play_feed();
  state.flushed_position = flushed_position;
  if (!state.handed_over && !action->over && enough) HandOver(action);
  return state.handed_over || action->over;
}

void EngineImpl::HandOver(const std::shared_ptr<Action>& action) {
  Submission* const submission = action->common->submission;
  action->play_feed()->handed_over = true;
  submission->floating = running();
  if (!submission->floating) {
    submission->origin = NextFrame();
    action->set_requested_start_frame(submission->origin);
  }
  if (absl::Status status = Lend(submission); !status.ok()) {
    action->play_feed()->handed_over = false;
    Conclude(action, ActionEnd::kLimitExceeded, NextFrame());
    return;
  }
  if (!submission->floating) Resolve(submission);
  RunDue();
  WakePump();
}

void EngineImpl::EndCall(const std::shared_ptr<Action>& action, bool complete) {
  Lock lock(this);
  action->attached = false;
  if (action->play_feed() != nullptr && complete) action->play_feed()->ended = true;
  if (action->ended()) LetGoOfStream(action.get());
  if (action->over || complete) return;
  if (action->reattachable) {
    events_.Append(Event(EventKind::kCallDetached, *action));
    return;
  }
  Doom(action, ActionEnd::kDisconnected);
  WakePump();
}

PlayStreamProgress EngineImpl::ProgressOf(const std::shared_ptr<Action>& action) {
  Lock lock(this);
  const PlayFeedState& state = *action->play_feed();
  PlayStreamProgress progress;
  progress.received_position = state.write_position();
  progress.played_position = state.read_position();
  progress.granted_position = progress.played_position + state.ring_frames;
  progress.next_frame = IsOfOpenStream(*action) ? NextFrame() : action->outcome->end_frame;
  progress.underruns = action->voice != nullptr     ? action->voice->gap_count()
                       : action->outcome != nullptr ? action->outcome->report.underruns
                                                    : 0;
  progress.start_frame = action->start_frame();
  progress.done = action->done();
  return progress;
}

std::optional<ActionReport> EngineImpl::FinalReportOf(const std::shared_ptr<Action>& action) {
  if (!action->over) return std::nullopt;
  Lock lock(this);
  if (!action->ended()) return std::nullopt;
  // A call that came after the end may have found that what it lacks was lost.
  if (action->recording() != nullptr) {
    const Recording::Status status = action->recording()->status();
    NoteGaps(status, action.get());
    CopyGaps(status, &action->outcome->report);
  }
  return action->Report();
}

absl::Status EngineImpl::StopRecordStream(const std::shared_ptr<Action>& action,
                                          std::optional<int64_t> frame) {
  Lock lock(this);
  if (frame.has_value()) {
    absl::Status status = CheckFrames(*frame, 0, kMaxStreamFrame - 1, "frame");
    if (!status.ok()) return status;
  }
  Cancel(action, frame);
  NotifyCall(*action);
  WakePump();
  return absl::OkStatus();
}

void EngineImpl::FinishRecordStream(const std::shared_ptr<Action>& action) {
  Lock lock(this);
  if (action->over) return;
  if (!action->recording()->ended()) {
    action->recording()->EndNow(action->doom != ActionEnd::kNone ? action->doom
                                                                 : ActionEnd::kCancelled);
  }
  LookAtRecording(action);
}

}  // namespace rtmixd
