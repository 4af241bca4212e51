// Admission: a batch is checked as a whole, and then done as a whole.

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
namespace {

// A batch that starts now is answered without its origin if the device does not take it up by then.
constexpr int64_t kOriginPatienceNanos = 1'000'000'000;

bool Floats(const Action& action) {
  return action.is_play() && action.start.kind == StartSpec::Kind::kOffset;
}

}  // namespace

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
  submission->session_id = session_id;
  submission->stream = stream_;
  submission->admitted.stream_id = stream_->id();
  absl::Cleanup undo = [&] {
    for (const std::string& buffer_id : submission->made_buffers) {
      buffers_.Delete(session_id, buffer_id).IgnoreError();
    }
  };
  absl::flat_hash_map<std::string, std::shared_ptr<Action>> by_key;
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    absl::Status status = MakeMember(session_id, batch.actions[i], absl::StrCat("actions[", i, "]"),
                                     inline_audio[i], submission.get());
    if (!status.ok()) return status;
    if (!batch.actions[i].key.empty()) by_key[batch.actions[i].key] = submission->members.back();
  }
  for (size_t i = 0; i < batch.actions.size(); ++i) {
    const auto* const cancel = std::get_if<CancelSpec>(&batch.actions[i].what);
    if (cancel == nullptr) continue;
    Action& action = *submission->members[i];
    if (!cancel->key.empty()) {
      action.target = by_key[cancel->key];
    } else {
      absl::StatusOr<std::shared_ptr<Action>> target = actions_.Find(
          session_id, cancel->action_id, absl::StrCat("actions[", i, "].cancel.action_id"));
      if (!target.ok()) return target.status();
      action.target = *std::move(target);
    }
    action.report.target_action_id = action.target->report.action_id;
  }

  const StreamInfo& info = stream_->info();
  const int64_t both_latencies = info.input_latency_frames + info.output_latency_frames;
  if (batch.align_at_converters) submission->record_shift_frames = both_latencies;
  if (const int64_t* frame = std::get_if<int64_t>(&batch.origin)) {
    submission->origin = *frame;
  } else if (const double* seconds = std::get_if<double>(&batch.origin)) {
    submission->origin =
        *FrameAtStreamTime(*seconds, stream_->rate_hz()) - info.output_latency_frames;
    submission->record_shift_frames = both_latencies;
  } else {
    submission->floating =
        running() && std::any_of(submission->members.begin(), submission->members.end(),
                                 [](const auto& a) { return Floats(*a); });
    if (!submission->floating) submission->origin = NextFrame();
  }
  std::move(undo).Cancel();
  return submission;
}

absl::Status EngineImpl::MakeMember(const std::string& session_id, const ActionSpec& spec,
                                    const std::string& field,
                                    const std::shared_ptr<const AudioStorage>& inline_audio,
                                    Submission* submission) {
  auto action = std::make_shared<Action>();
  actions_.Number(action.get());
  action->session_id = session_id;
  action->session_label = sessions_.Label(session_id);
  action->stream = stream_;
  action->submission = submission;
  action->start = spec.start;
  action->late_policy = spec.late_policy;
  action->report.key = spec.key;
  action->report.stream_id = stream_->id();
  if (const auto* play = std::get_if<PlaySpec>(&spec.what)) {
    action->report.kind = ActionKind::kPlay;
    action->audio = inline_audio;
    if (!play->buffer_id.empty()) {
      absl::StatusOr<BufferStore::Playable> playable =
          buffers_.GetPlayable(session_id, play->buffer_id);
      if (!playable.ok()) return PrefixField(playable.status(), field + ".play.");
      if (playable->sample_rate_hz != 0 && playable->sample_rate_hz != stream_->rate_hz()) {
        return BadField(field + ".play.buffer_id",
                        absl::StrCat(play->buffer_id, " of ", playable->sample_rate_hz, " Hz"),
                        absl::StrCat("a buffer of ", stream_->rate_hz(), " Hz"));
      }
      action->audio = playable->audio;
      action->report.buffer_id = play->buffer_id;
    }
    absl::StatusOr<std::vector<int>> map = ResolvePlayMap(
        play->channel_map, action->audio->channels(), Shape(), field + ".play.channel_map");
    if (!map.ok()) return map.status();
    action->channel_map = *std::move(map);
    action->gain = play->gain;
    action->xrun_policy = play->xrun_policy;
    action->report.total_frames = action->audio->frames();
  } else if (const auto* record = std::get_if<RecordSpec>(&spec.what)) {
    action->report.kind = ActionKind::kRecord;
    absl::Status status = MakeRecord(session_id, *record, field, action, submission);
    if (!status.ok()) return status;
  } else if (std::holds_alternative<CancelSpec>(spec.what)) {
    action->report.kind = ActionKind::kCancel;
    action->report.total_frames = 0;
  } else {
    action->report.kind = ActionKind::kStats;
    action->report.total_frames = 0;
    action->reset_baseline = std::get<StatsSpec>(spec.what).reset_baseline;
  }
  submission->admitted.actions.push_back(
      {.action_id = action->report.action_id,
       .key = spec.key,
       .start_frame = std::nullopt,
       .buffer_id = action->is_record() ? action->report.buffer_id : std::string()});
  submission->members.push_back(std::move(action));
  return absl::OkStatus();
}

absl::Status EngineImpl::MakeRecord(const std::string& session_id, const RecordSpec& spec,
                                    const std::string& field, const std::shared_ptr<Action>& action,
                                    Submission* submission) {
  absl::StatusOr<std::vector<int>> map =
      ResolveRecordMap(spec.channel_map, spec.source, Shape(), field + ".record.");
  if (!map.ok()) return map.status();
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
      buffers_.OpenRecorder(session_id, buffer_id, action->report.action_id, channels);
  if (!recorder.ok()) return PrefixField(recorder.status(), field + ".record.");
  Recording::Spec recording{.source = {.owner = stream_,
                                       .history = &stream_->history(spec.source),
                                       .sample_rate_hz = stream_->rate_hz()},
                            .channels = *std::move(map),
                            .total_frames = spec.frames,
                            .late_policy = action->late_policy};
  action->recording =
      std::make_shared<Recording>(std::move(recording), *std::move(recorder), spec.leave_open);
  for (const LiveStream::Hole& hole : stream_->holes()) {
    action->recording->AddHole(hole.first_frame, hole.frames);
  }
  action->source = spec.source;
  action->report.buffer_id = buffer_id;
  action->report.total_frames = spec.frames;
  return absl::OkStatus();
}

absl::Status EngineImpl::Admit(std::unique_ptr<Submission> submission) {
  Submission* const s = submission.get();
  if (s->admitted.batch_id.empty() && s->callback) {
    s->admitted.batch_id = absl::StrCat("t-", ++last_batch_);
  }
  const int64_t next_frame = NextFrame();
  for (const std::shared_ptr<Action>& action : s->members) {
    action->report.batch_id = s->admitted.batch_id;
    action->report.requested_start_frame = FrameOf(*action, *s);
  }
  // Cuts that are known now go with the voices, so that they hold however soon they come.
  for (const std::shared_ptr<Action>& cancel : s->members) {
    if (cancel->target == nullptr || cancel->target->submission != s ||
        !cancel->target->is_play()) {
      continue;
    }
    Action& target = *cancel->target;
    const std::optional<int64_t> frame = cancel->report.requested_start_frame;
    const bool late = frame.has_value() && *frame < next_frame;
    if (frame.has_value() && !(late && cancel->late_policy == LatePolicy::kSkip)) {
      target.cut_frame = std::min(target.cut_frame, *frame);
    } else if (!frame.has_value() && Floats(target)) {
      target.cut_offset_frames = std::min(target.cut_offset_frames, cancel->start.frames);
    } else {
      continue;
    }
    cancel->handed_on = true;
  }
  if (absl::Status status = Lend(s); !status.ok()) {
    for (const std::string& buffer_id : s->made_buffers) {
      buffers_.Delete(s->session_id, buffer_id).IgnoreError();
    }
    // Kept for as long as the mixer has a part of it.
    if (s->lent > 0) submissions_.emplace(s, std::move(submission));
    return status;
  }

  submissions_.emplace(s, std::move(submission));
  for (const std::shared_ptr<Action>& action : s->members) Register(action);
  for (const std::shared_ptr<Action>& action : s->members) {
    if (action->target == nullptr) continue;
    if (action->target->ended() || action->target->ending.has_value()) {
      action->target = nullptr;
    } else {
      action->target->cancels.push_back(action);
    }
  }
  if (s->callback) {
    s->answer_by_nanos = NowNanos() + kOriginPatienceNanos;
    unanswered_.insert(s);
  }
  for (const std::shared_ptr<Action>& action : std::vector<std::shared_ptr<Action>>(s->members)) {
    if (!action->is_play() && action->report.requested_start_frame.has_value()) {
      Place(action, /*can_be_late=*/true);
    }
  }
  if (s->origin.has_value()) {
    Answer(s);
    DropSubmission(s);
  }
  RunDue();
  WakePump();
  return absl::OkStatus();
}

absl::Status EngineImpl::Lend(Submission* submission) {
  auto placed = std::make_unique<Batch>();
  placed->origin_frame = 0;
  auto floating = std::make_unique<Batch>();
  for (const std::shared_ptr<Action>& action : submission->members) {
    if (!action->is_play() || (action->play_feed != nullptr && !action->play_feed->handed_over)) {
      continue;
    }
    const std::optional<int64_t>& frame = action->report.requested_start_frame;
    Batch& batch = frame.has_value() ? *placed : *floating;
    batch.voices.push_back(
        MakeVoice(action.get(), frame.has_value() ? *frame : action->start.frames));
  }
  std::vector<Voice*> voices;
  for (std::unique_ptr<Batch>* batch : {&placed, &floating}) {
    if ((*batch)->voices.empty()) continue;
    (*batch)->owner = submission;
    for (const std::unique_ptr<Voice>& voice : (*batch)->voices) voices.push_back(voice.get());
    absl::Status status = stream_->mixer().Submit(batch);
    if (!status.ok()) {
      // The mixer has room to spare beyond all that is admitted, and would have to lose two at
      // once.
      return status.code() == absl::StatusCode::kResourceExhausted && submission->lent == 0
                 ? LimitExceeded("max_actions", "more", absl::StrCat(limits_.max_actions))
                 : MakeError(absl::StatusCode::kInternal, {.reason = ErrorReason::kInternal},
                             std::string(status.message()));
    }
    ++submission->lent;
  }
  for (Voice* const voice : voices) static_cast<Action*>(voice->spec().owner)->voice = voice;
  return absl::OkStatus();
}

std::unique_ptr<Voice> EngineImpl::MakeVoice(Action* action, int64_t offset_frames) {
  Voice::Spec spec;
  spec.offset_frames = offset_frames;
  spec.sequence = action->number;
  spec.late_policy = action->late_policy;
  spec.underrun_policy = action->underrun_policy;
  spec.gain = action->gain;
  spec.channel_map = action->channel_map;
  if (action->play_feed != nullptr) {
    spec.feed = action->play_feed->feed.get();
  } else {
    spec.view = action->audio->View();
  }
  spec.cut_offset_frames = action->cut_offset_frames;
  spec.owner = action;
  auto voice = std::make_unique<Voice>(std::move(spec));
  if (action->cut_frame != Voice::kNoFrame) voice->CutRt(action->cut_frame);
  return voice;
}

std::optional<int64_t> EngineImpl::FrameOf(const Action& action,
                                           const Submission& submission) const {
  // Which converter's clock a start is on; a cancel's is its target's.
  const Action* const of = action.target != nullptr ? action.target.get() : &action;
  const bool records_input = of->is_record() && of->source == RecordSource::kInput;
  const bool on_output_clock = of->is_play() || (of->is_record() && !records_input);
  const StreamInfo& info = submission.stream->info();
  switch (action.start.kind) {
    case StartSpec::Kind::kFrame:
      return action.start.frames;
    case StartSpec::Kind::kStreamTime: {
      const int64_t frame = *FrameAtStreamTime(action.start.seconds, info.sample_rate_hz);
      if (records_input) return frame + info.input_latency_frames;
      return on_output_clock ? frame - info.output_latency_frames : frame;
    }
    case StartSpec::Kind::kOffset:
      break;
  }
  if (!submission.origin.has_value()) return std::nullopt;
  return *submission.origin + action.start.frames +
         (records_input ? submission.record_shift_frames : 0);
}

void EngineImpl::Resolve(Submission* submission) {
  for (const std::shared_ptr<Action>& action :
       std::vector<std::shared_ptr<Action>>(submission->members)) {
    if (action->report.requested_start_frame.has_value()) continue;
    action->report.requested_start_frame = FrameOf(*action, *submission);
    if (!action->is_play() && !action->ended() && !action->ending.has_value()) {
      Place(action, /*can_be_late=*/false);
    }
  }
  Answer(submission);
}

void EngineImpl::Place(const std::shared_ptr<Action>& action, bool can_be_late) {
  const int64_t frame = *action->report.requested_start_frame;
  switch (action->report.kind) {
    case ActionKind::kRecord:
    case ActionKind::kRecordStream:
      // Nothing has to be there to record nothing.
      due_.emplace(action->report.total_frames == 0 ? frame - 1 : frame, action);
      break;
    case ActionKind::kCancel:
      HandOnCancel(action, can_be_late);
      if (!action->ended()) due_.emplace(frame - 1, action);
      break;
    case ActionKind::kStats: {
      const int64_t late = can_be_late ? NextFrame() - frame : 0;
      action->report.late_frames = std::max<int64_t>(late, 0);
      if (late > 0 && action->late_policy == LatePolicy::kSkip) {
        Conclude(action, ActionEnd::kSkipped, frame);
      } else {
        due_.emplace(frame, action);
      }
      break;
    }
    default:
      break;
  }
}

void EngineImpl::Answer(Submission* submission) {
  unanswered_.erase(submission);
  BatchAdmitted& admitted = submission->admitted;
  if (!submission->callback) return;
  admitted.origin_frame = submission->origin;
  for (size_t i = 0; i < admitted.actions.size(); ++i) {
    admitted.actions[i].start_frame = submission->members[i]->report.requested_start_frame;
  }
  for (auto& other : requests_.Finish(submission->session_id, submission->request_id, admitted,
                                      Now().monotonic)) {
    Defer([other = std::move(other), admitted] { other(admitted); });
  }
  Defer([callback = std::move(submission->callback), admitted] { callback(admitted); });
  submission->callback = nullptr;
}

void EngineImpl::DropSubmission(Submission* submission) {
  if (submission->lent > 0 || submission->callback) return;
  if (!submission->origin.has_value()) {
    for (const std::shared_ptr<Action>& action : submission->members) {
      if (!action->ended() && !action->ending.has_value()) return;
    }
  }
  for (const std::shared_ptr<Action>& action : submission->members) action->submission = nullptr;
  submissions_.erase(submission);
}

}  // namespace rtmixd
