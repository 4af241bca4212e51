// Scheduling: what a batch asks for is checked as a whole, and its actions are made.

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"
#include "server/control/wire_audio.h"
#include "server/mixer/stream_time.h"

namespace rtmixd {

absl::Status EngineImpl::CheckStream() {
  if (stream_ != nullptr) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition,
                   {.reason = ErrorReason::kNoStream, .limit = "an open stream"},
                   "no stream is open");
}

StreamShape EngineImpl::Shape() const {
  const StreamInfo& info = stream_->info();
  return {info.input_channels, info.output_channels, info.sample_rate_hz};
}

void EngineImpl::Schedule(const std::string& session_id, BatchSpec batch,
                          std::function<void(absl::StatusOr<BatchAdmitted>)> callback) {
  const auto refuse = [&](const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (auto& other : requests_.Finish(session_id, batch.request_id, status, Now().monotonic)) {
      Defer([other = std::move(other), status] { other(status); });
    }
    Defer([callback, status] { callback(status); });
  };

  std::shared_ptr<LiveStream> stream;
  std::shared_ptr<ByteBudget> budget;
  {
    Lock lock(this);
    if (absl::Status status = CheckSession(session_id); !status.ok()) {
      Defer([callback, status] { callback(status); });
      return;
    }
    auto begun =
        requests_.Begin(session_id, batch.request_id, batch.fingerprint, Now().monotonic, callback);
    if (!begun.ok()) {
      Defer([callback, status = begun.status()] { callback(status); });
      return;
    }
    if (begun->answer.has_value()) {
      Defer([callback, answer = *begun->answer] { callback(answer); });
      return;
    }
    if (begun->kind == RequestCache<BatchAdmitted>::Kind::kWaiting) return;
    absl::Status status = CheckMayWork(session_id);
    if (status.ok()) status = CheckStream();
    if (status.ok()) status = CheckBatch(batch, Shape(), limits_);
    if (!status.ok()) {
      refuse(status);
      return;
    }
    stream = stream_;
    budget = buffers_.Budget(session_id);
  }

  auto inline_audio = DecodeInline(batch, budget);

  Lock lock(this);
  absl::Status status = inline_audio.status();
  // What has changed meanwhile.
  if (status.ok()) status = CheckMayWork(session_id);
  if (status.ok() && stream != stream_) {
    status = MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kNoStream},
                       "the stream was closed meanwhile");
  }
  if (status.ok()) {
    status = actions_.CheckRoom(session_id, static_cast<int64_t>(batch.actions.size()));
  }
  if (status.ok()) {
    auto submission = MakeSubmission(session_id, batch, *inline_audio);
    status = submission.status();
    if (status.ok()) {
      (*submission)->callback = callback;
      (*submission)->request_id = batch.request_id;
      status = Admit(*std::move(submission));
    }
  }
  if (!status.ok()) refuse(status);
}

absl::StatusOr<std::vector<std::shared_ptr<const AudioStorage>>> EngineImpl::DecodeInline(
    const BatchSpec& batch, const std::shared_ptr<ByteBudget>& budget) const {
  std::vector<std::shared_ptr<const AudioStorage>> all(batch.actions.size());
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    const auto* const play = std::get_if<PlaySpec>(&batch.actions[i].what);
    if (play == nullptr || !play->buffer_id.empty()) continue;
    const std::string field = absl::StrCat("actions[", i, "].play.inline_audio.");
    const absl::StatusOr<int64_t> frames =
        CheckWireAudio(play->inline_data, play->inline_format, play->inline_channels);
    if (!frames.ok()) return PrefixField(frames.status(), field);
    absl::StatusOr<std::shared_ptr<AudioStorage>> audio =
        AudioStorage::Create(play->inline_channels, *frames, budget);
    if (!audio.ok()) return audio.status();
    if (absl::Status status = (*audio)->Grow(*frames); !status.ok()) return status;
    const int64_t frame_bytes =
        int64_t{play->inline_channels} * BytesPerSample(play->inline_format);
    for (int64_t done = 0; done < *frames;) {
      const AudioStorage::Stretch<float> room = (*audio)->Room(done, *frames - done);
      DecodeWireAudio(play->inline_data.data() + done * frame_bytes, play->inline_format,
                      play->inline_channels, room.frames, room.samples, room.channel_stride_frames);
      done += room.frames;
    }
    (*audio)->Publish(*frames);
    all[i] = *std::move(audio);
  }
  return all;
}

absl::StatusOr<std::unique_ptr<Submission>> EngineImpl::MakeSubmission(
    const std::string& session_id, const BatchSpec& batch,
    const std::vector<std::shared_ptr<const AudioStorage>>& inline_audio) {
  auto submission = std::make_unique<Submission>();
  submission->common = MakeCommon(session_id);
  submission->common->submission = submission.get();
  submission->stream = stream_;
  submission->members.reserve(batch.actions.size());
  absl::Cleanup undo = [&] {
    for (const std::string& buffer_id : submission->made_buffers) {
      buffers_.Delete(session_id, buffer_id).IgnoreError();
    }
  };
  // All actions before what is needed only until the mixer has them: what that leaves free is in
  // one piece.
  std::vector<std::shared_ptr<Action>> actions(batch.actions.size());
  for (std::shared_ptr<Action>& action : actions) action = std::make_shared<Action>();
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    absl::Status status = MakeMember(batch.actions[i], absl::StrCat("actions[", i, "]"),
                                     inline_audio[i], std::move(actions[i]), submission.get());
    if (!status.ok()) return status;
  }
  submission->common->first_number = submission->members.front()->number;
  if (std::any_of(batch.actions.begin(), batch.actions.end(),
                  [](const ActionSpec& spec) { return !spec.key.empty(); })) {
    for (const ActionSpec& spec : batch.actions) submission->common->keys.push_back(spec.key);
  }
  if (absl::Status status = LinkMembers(session_id, batch, submission.get()); !status.ok()) {
    return status;
  }

  const StreamInfo& info = stream_->info();
  const int64_t both_latencies = RoundTripFrames();
  if (batch.align_at_converters) submission->record_shift_frames = both_latencies;
  if (const int64_t* frame = std::get_if<int64_t>(&batch.origin)) {
    submission->origin = *frame;
  } else if (const double* seconds = std::get_if<double>(&batch.origin)) {
    submission->origin =
        *FrameAtStreamTime(*seconds, stream_->rate_hz()) - info.output_latency_frames;
    submission->record_shift_frames = both_latencies;
  } else if (const absl::Time* wall = std::get_if<absl::Time>(&batch.origin)) {
    submission->common->wall_origin = *wall;
    submission->record_shift_frames = both_latencies;
  } else if (!batch.prepare) {
    submission->floating =
        running() && std::any_of(submission->members.begin(), submission->members.end(),
                                 [](const auto& a) { return a->floats(); });
    if (!submission->floating) submission->origin = NextFrame();
  }
  submission->prepared = batch.prepare;
  submission->waiting = batch.prepare || submission->common->wall_origin.has_value();
  std::move(undo).Cancel();
  return submission;
}

absl::Status EngineImpl::LinkMembers(const std::string& session_id, const BatchSpec& batch,
                                     Submission* submission) {
  absl::flat_hash_map<std::string, std::shared_ptr<Action>> by_key;
  for (const std::shared_ptr<Action>& member : submission->members) {
    if (std::string key = member->key(); !key.empty()) by_key[std::move(key)] = member;
  }
  absl::flat_hash_map<const Action*, int> asked;         // changes of each
  absl::flat_hash_map<const Action*, size_t> following;  // each
  const auto find = [&](const ActionRefSpec& ref,
                        const std::string& field) -> absl::StatusOr<std::shared_ptr<Action>> {
    mu_.AssertHeld();
    if (!ref.key.empty()) return by_key[ref.key];
    return actions_.Find(session_id, ref.action_id, field + ".action_id");
  };
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    const ActionSpec& spec = batch.actions[i];
    const std::shared_ptr<Action>& action = submission->members[i];
    const std::string field = absl::StrCat("actions[", i, "]");
    if (spec.start.kind == StartSpec::Kind::kAfter) {
      absl::StatusOr<std::shared_ptr<Action>> after =
          find(spec.start.after, field + ".start.after");
      if (!after.ok()) return after.status();
      absl::Status status = Follow(action, *after, spec.start.after.key, field + ".start.after");
      if (!status.ok()) return status;
      // Those of this batch are linked when it is admitted.
      const size_t successors = CountSuccessors(after->get()) + ++following[after->get()];
      if (action->after() != nullptr && successors > kMaxSuccessors) {
        return LimitExceeded("max_successors_per_action", absl::StrCat(successors),
                             absl::StrCat(kMaxSuccessors));
      }
    }
    const auto* const cancel = std::get_if<CancelSpec>(&spec.what);
    const auto* const change = std::get_if<ChangeSpec>(&spec.what);
    if (cancel == nullptr && change == nullptr) continue;
    const std::string what = field + (cancel != nullptr ? ".cancel" : ".change");
    const ActionRefSpec& ref = cancel != nullptr ? cancel->target : change->target;
    absl::StatusOr<std::shared_ptr<Action>> found = find(ref, what);
    if (!found.ok()) return found.status();
    ActionRequest& request = *action->request();
    request.target = *std::move(found);
    request.target_number = request.target->number;
    const Action& target = *request.target;
    if (target.has_audio()) action->target_clock = target.clock();
    if (change == nullptr && request.cancel_fade.frames == 0) continue;
    if (change != nullptr && !target.is_play()) {
      return BadField(what + (ref.key.empty() ? ".action_id" : ".key"),
                      ref.key.empty() ? ref.action_id : ref.key, "an action that plays");
    }
    if (!target.is_play()) continue;
    absl::Status status = CheckRoomForChanges(target, ++asked[&target], what);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

std::shared_ptr<ActionCommon> EngineImpl::MakeCommon(const std::string& session_id) {
  auto common = std::make_shared<ActionCommon>();
  common->ids = ids_;
  common->session_id = session_id;
  common->session_label = sessions_.Label(session_id);
  common->stream_id = stream_->id();
  return common;
}

absl::Status EngineImpl::MakeMember(const ActionSpec& spec, const std::string& field,
                                    const std::shared_ptr<const AudioStorage>& inline_audio,
                                    std::shared_ptr<Action> action, Submission* submission) {
  action->number = actions_.TakeNumber();
  action->common = submission->common;
  SetStart(spec.start, action.get());
  action->late_policy = spec.late_policy;
  if (const auto* play = std::get_if<PlaySpec>(&spec.what)) {
    absl::Status status = MakePlay(*play, field + ".play.", inline_audio, action);
    if (!status.ok()) return status;
  } else if (const auto* record = std::get_if<RecordSpec>(&spec.what)) {
    action->kind = ActionKind::kRecord;
    absl::Status status = MakeRecord(*record, field, action, submission);
    if (!status.ok()) return status;
  } else if (const auto* cancel = std::get_if<CancelSpec>(&spec.what)) {
    action->kind = ActionKind::kCancel;
    action->set_total_frames(0);
    action->of_kind = std::make_unique<ActionRequest>();
    action->request()->cancel_fade = cancel->fade;
  } else if (const auto* change = std::get_if<ChangeSpec>(&spec.what)) {
    action->kind = ActionKind::kChange;
    action->set_total_frames(0);
    action->of_kind = std::make_unique<ActionRequest>();
    action->request()->change = ToVoiceChange(change->change);
  } else {
    action->kind = ActionKind::kStats;
    action->set_total_frames(0);
    action->reset_baseline = std::get<StatsSpec>(spec.what).reset_baseline;
  }
  submission->members.push_back(std::move(action));
  return absl::OkStatus();
}

void EngineImpl::SetStart(const StartSpec& start, Action* action) const {
  action->start_kind = start.kind;
  action->start_frames = start.kind == StartSpec::Kind::kStreamTime
                             ? *FrameAtStreamTime(start.seconds, stream_->rate_hz())
                             : start.frames;
}

absl::Status EngineImpl::MakePlay(const PlaySpec& spec, const std::string& field,
                                  const std::shared_ptr<const AudioStorage>& inline_audio,
                                  const std::shared_ptr<Action>& action) {
  action->kind = ActionKind::kPlay;
  std::shared_ptr<const AudioStorage> audio = inline_audio;
  if (!spec.buffer_id.empty()) {
    absl::StatusOr<BufferStore::Playable> playable =
        buffers_.GetPlayable(action->common->session_id, spec.buffer_id);
    if (!playable.ok()) return PrefixField(playable.status(), field);
    if (playable->sample_rate_hz != 0 && playable->sample_rate_hz != stream_->rate_hz()) {
      return BadField(field + "buffer_id",
                      absl::StrCat(spec.buffer_id, " of ", playable->sample_rate_hz, " Hz"),
                      absl::StrCat("a buffer of ", stream_->rate_hz(), " Hz"));
    }
    audio = playable->audio;
    action->buffer_number = *ids_.NumberOf('b', spec.buffer_id);
  }
  absl::StatusOr<std::vector<int>> map =
      ResolvePlayMap(spec.channel_map, audio->channels(), Shape(), field + "channel_map");
  if (!map.ok()) return map.status();
  const int64_t frames = audio->frames();
  if (absl::Status status = CheckFrames(spec.offset_frames, 0, frames, field + "offset_frames");
      !status.ok()) {
    return status;
  }
  absl::StatusOr<Loop> loop = ResolveLoop(spec, frames, field + "loop.");
  if (!loop.ok()) return loop.status();
  action->xrun_policy = spec.xrun_policy;
  action->setup = std::make_unique<PlaySetup>();
  Voice::Spec& voice = action->setup->spec;
  voice.sequence = action->number;
  voice.late_policy = action->late_policy;
  voice.gain = spec.gain;
  voice.fade_in = spec.fade_in;
  voice.fade_out = spec.fade_out;
  voice.channel_map = *std::move(map);
  voice.view_offset_frames = spec.offset_frames;
  voice.loop = *loop;
  voice.max_frames = spec.max_frames.value_or(Voice::kNoFrame);
  voice.owner = action.get();
  action->set_total_frames(TotalFrames(spec, *loop, frames));
  action->of_kind = std::move(audio);
  return absl::OkStatus();
}

absl::Status EngineImpl::MakeRecord(const RecordSpec& spec, const std::string& field,
                                    const std::shared_ptr<Action>& action, Submission* submission) {
  absl::StatusOr<std::vector<int>> map =
      ResolveRecordMap(spec.channel_map, spec.source, Shape(), field + ".record.");
  if (!map.ok()) return map.status();
  const std::string& session_id = action->common->session_id;
  const int channels = static_cast<int>(map->size());
  std::string buffer_id = spec.buffer_id;
  if (buffer_id.empty()) {
    absl::StatusOr<BufferInfo> made = buffers_.Create(session_id,
                                                      {.channels = channels,
                                                       .sample_rate_hz = stream_->rate_hz(),
                                                       .label = spec.label,
                                                       .keep = spec.keep,
                                                       .expected_frames = 0,
                                                       .request_id = {}},
                                                      options_.wall_time());
    if (!made.ok()) return PrefixField(made.status(), field + ".record.");
    buffer_id = made->buffer_id;
    submission->made_buffers.push_back(buffer_id);
  }
  absl::StatusOr<std::unique_ptr<BufferRecorder>> recorder =
      buffers_.OpenRecorder(session_id, buffer_id, action->id(), channels);
  if (!recorder.ok()) return PrefixField(recorder.status(), field + ".record.");
  Recording::Spec recording{.source = {.owner = stream_,
                                       .history = &stream_->history(spec.source),
                                       .sample_rate_hz = stream_->rate_hz()},
                            .channels = *std::move(map),
                            .total_frames = spec.frames,
                            .late_policy = action->late_policy};
  action->of_kind = std::make_unique<RecordState>();
  action->record()->stream = stream_;
  action->record()->recording =
      std::make_shared<Recording>(std::move(recording), *std::move(recorder), spec.leave_open);
  for (const LiveStream::Hole& hole : stream_->holes()) {
    action->recording()->AddHole(hole.first_frame, hole.frames);
  }
  action->source = spec.source;
  action->buffer_number = *ids_.NumberOf('b', buffer_id);
  action->set_total_frames(spec.frames);
  return absl::OkStatus();
}

}  // namespace rtmixd
