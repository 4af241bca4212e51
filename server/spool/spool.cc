#include "server/spool/spool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/rpc/convert_action.h"
#include "server/rpc/convert_time.h"

namespace rtmixd {
namespace {

// Recordings that wait to be written; beyond, they are left out, and that is told.
constexpr int kMaxJobs = 10000;
// Files open at once; other recordings wait for their turn in their buffers.
constexpr int kMaxOpenFiles = 256;
// Frames written with one call.
constexpr int64_t kWriteFrames = 16384;
// Between two tries of a disk that did not take it.
constexpr absl::Duration kRetryInterval = absl::Seconds(1);
constexpr int kGapSlots = 8;
// News that nobody took, at the most.
constexpr size_t kMaxNews = 1000;

}  // namespace

absl::StatusOr<std::shared_ptr<Spool>> Spool::Open(const Options& options) {
  auto index = SpoolIndex::Open(options.folder);
  if (!index.ok()) return index.status();
  return std::shared_ptr<Spool>(new Spool(options, *std::move(index)));
}

Spool::Spool(Options options, std::unique_ptr<SpoolIndex> index)
    : options_(std::move(options)),
      index_(std::move(index)),
      free_bytes_(index_->free_bytes()),
      writer_([this] { Run(); }) {}

Spool::~Spool() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
  }
  stop_changed_.SignalAll();
  writer_.join();
}

// --- What the engine tells ---

void Spool::Begin(NewRecording recording, const ActionReport& report) {
  MutexLock lock(&mutex_);
  if (jobs_.size() >= kMaxJobs) {
    LogEntry entry;
    entry.kind = EventKind::kSpoolFailed;
    entry.session_id = recording.session_id;
    entry.session_label = recording.session_label;
    entry.action_id = report.action_id;
    entry.text = absl::StrCat("not spooled: ", kMaxJobs, " recordings wait to be written");
    if (news_.size() < kMaxNews) news_.push_back(std::move(entry));
    return;
  }
  auto job = std::make_shared<Job>();
  job->source = std::move(recording);
  job->told = report;
  jobs_[report.action_id] = std::move(job);
}

void Spool::Update(const ActionReport& report) {
  MutexLock lock(&mutex_);
  const auto found = jobs_.find(report.action_id);
  if (found != jobs_.end()) found->second->told = report;
}

void Spool::End(const ActionReport& report) {
  MutexLock lock(&mutex_);
  const auto found = jobs_.find(report.action_id);
  if (found == jobs_.end()) return;
  found->second->told = report;
  found->second->ended = true;
}

std::vector<LogEntry> Spool::TakeNews() {
  MutexLock lock(&mutex_);
  return std::exchange(news_, {});
}

// --- What clients ask ---

v1::SpoolStatus Spool::status() const {
  v1::SpoolStatus status;
  status.set_used_bytes(index_->used_bytes());
  status.set_recordings(index_->size());
  MutexLock lock(&mutex_);
  status.set_free_bytes(free_bytes_);
  status.set_failure(failure_);
  status.set_gap_frames(gap_frames_);
  return status;
}

absl::Status Spool::Delete(const std::string& recording_id) { return index_->Delete(recording_id); }

std::unique_ptr<SpoolReader> Spool::OpenReader(const std::string& recording_id,
                                               ChangeCallback on_change) {
  return std::make_unique<SpoolReader>(disk_, index_->AudioPath(recording_id),
                                       std::move(on_change));
}

// --- The writer ---

void Spool::Run() {
  while (true) {
    bool last = false;
    {
      MutexLock lock(&mutex_);
      if (!stop_) stop_changed_.WaitFor(&mutex_, options_.write_interval);
      last = stop_;
    }
    Round(absl::Now(), last);
    if (last) return;
  }
}

void Spool::Round(absl::Time now, bool last) {
  std::vector<JobPtr> jobs;
  {
    MutexLock lock(&mutex_);
    for (const auto& [action_id, job] : jobs_) jobs.push_back(job);
  }
  for (const JobPtr& job : jobs) Take(job);

  const bool sync = now >= next_sync_ || last;
  if (sync) next_sync_ = now + options_.sync_interval;
  absl::Status outcome;
  bool tried = false;
  if (now >= retry_at_ || last) {
    int open_files = 0;
    for (const JobPtr& job : jobs) open_files += job->file != nullptr ? 1 : 0;
    for (const JobPtr& job : jobs) {
      if (job->file == nullptr && open_files >= kMaxOpenFiles) continue;
      const bool was_open = job->file != nullptr;
      tried = true;
      absl::Status status = Write(*job);
      if (status.ok()) status = Store(*job, sync);
      if (!was_open && job->file != nullptr) ++open_files;
      if (!status.ok()) outcome = status;
    }
    for (auto it = unsaved_.begin(); it != unsaved_.end();) {
      tried = true;
      const absl::Status status = index_->Save(it->second);
      if (!status.ok()) outcome = status;
      it = status.ok() ? unsaved_.erase(it) : std::next(it);
    }
    if (sync && tried) index_->SyncFolder();
  }
  if (tried) {
    NoteOutcome(outcome);
    retry_at_ = outcome.ok() ? absl::InfinitePast() : now + kRetryInterval;
  }
  BoundBacklog(jobs);
  for (const JobPtr& job : jobs) {
    if (!job->length.has_value()) continue;
    if (Available(*job) > 0) {
      if (!job->behind_since.has_value()) job->behind_since = now;
      if (now - *job->behind_since < options_.patience && !last) continue;
      Skip(*job, *job->length);
    }
    bool ended = false;
    {
      MutexLock lock(&mutex_);
      ended = job->ended && !job->told.has_value();
    }
    if (ended || last) Close(*job);
  }
  if (sync) {
    index_->Prune(options_.max_bytes, options_.max_age, now);
    const int64_t free_bytes = index_->free_bytes();
    MutexLock lock(&mutex_);
    free_bytes_ = free_bytes;
  }
}

void Spool::Take(const JobPtr& job) {
  std::optional<ActionReport> told;
  {
    MutexLock lock(&mutex_);
    told = std::exchange(job->told, std::nullopt);
  }
  if (!told.has_value()) return;
  v1::SpooledRecording& recording = job->recording;
  if (recording.recording_id().empty()) {
    const NewRecording& source = job->source;
    recording.set_recording_id(SpoolIndex::NewId());
    recording.set_state(v1::SPOOLED_RECORDING_STATE_RECORDING);
    recording.set_label(source.label);
    recording.set_channels(source.audio->channels());
    recording.set_sample_rate_hz(source.sample_rate_hz);
    *recording.mutable_create_time() = ToProto(source.create_time);
    recording.set_instance_id(source.instance_id);
    recording.set_session_id(source.session_id);
    recording.set_session_label(source.session_label);
  }
  if (told->end_frame.has_value()) {
    job->length = std::max(job->written, std::min(told->done_frames, job->source.audio->frames() -
                                                                         job->source.first_frame));
  }
  *recording.mutable_report() = ToProto(*told);
  job->stale = true;
}

int64_t Spool::Available(const Job& job) {
  const int64_t there = job.source.audio->frames() - job.source.first_frame;
  return (job.length.has_value() ? *job.length : there) - job.written;
}

absl::Status Spool::Write(Job& job) {
  if (job.file == nullptr) {
    // The report first: audio without one would never be found again.
    if (!job.saved) {
      if (absl::Status status = index_->Save(job.recording); !status.ok()) return status;
      job.saved = true;
      index_->Put(job.recording);
    }
    auto file = SpoolFile::Create(index_->AudioPath(job.recording.recording_id()),
                                  job.source.audio->channels(), job.source.sample_rate_hz);
    if (!file.ok()) return file.status();
    job.file = *std::move(file);
  }
  while (Available(job) > 0) {
    const int64_t frames = std::min(Available(job), kWriteFrames);
    absl::Status status = job.file->Write(job.written, *job.source.audio,
                                          job.source.first_frame + job.written, frames);
    if (!status.ok()) return status;
    job.written += frames;
    job.recording.set_frames(job.written);
  }
  index_->Put(job.recording);
  return absl::OkStatus();
}

absl::Status Spool::Store(Job& job, bool sync) {
  if (!sync) return absl::OkStatus();
  if (absl::Status status = job.file->Sync(); !status.ok()) return status;
  if (!job.stale) return absl::OkStatus();
  if (absl::Status status = index_->Save(job.recording); !status.ok()) return status;
  job.stale = false;
  return absl::OkStatus();
}

void Spool::Close(Job& job) {
  absl::Status status;
  if (job.file != nullptr) status = job.file->Sync();
  job.file.reset();
  const std::string action_id = job.recording.report().action_id();
  if (job.saved) {
    job.recording.set_state(v1::SPOOLED_RECORDING_STATE_COMPLETE);
    if (status.ok()) status = index_->Save(job.recording);
    if (!status.ok()) unsaved_[job.recording.recording_id()] = job.recording;
    index_->Put(job.recording);
  }
  MutexLock lock(&mutex_);
  jobs_.erase(action_id);
}

void Spool::Skip(Job& job, int64_t to_position) {
  const int64_t frames = to_position - job.written;
  v1::SpooledRecording& recording = job.recording;
  recording.set_gap_frames(recording.gap_frames() + frames);
  v1::Gap* gap =
      recording.gaps_size() > 0 ? recording.mutable_gaps(recording.gaps_size() - 1) : nullptr;
  const bool goes_on = gap != nullptr && gap->position() + gap->frames() == job.written;
  if (!goes_on && recording.gaps_size() < kGapSlots) {
    gap = recording.add_gaps();
    gap->set_position(job.written);
    gap->set_frame(recording.report().start_frame() + job.written);
  }
  gap->set_frames(to_position - gap->position());
  job.written = to_position;
  job.stale = true;
  {
    MutexLock lock(&mutex_);
    gap_frames_ += frames;
  }
  Tell(EventKind::kSpoolGap, &job, frames, "the disk did not take it in time");
}

void Spool::BoundBacklog(const std::vector<JobPtr>& jobs) {
  const auto bytes = [](const Job& job) {
    return Available(job) * job.source.audio->channels() * int64_t{sizeof(float)};
  };
  int64_t backlog = 0;
  for (const JobPtr& job : jobs) backlog += bytes(*job);
  while (backlog > options_.max_backlog_bytes) {
    Job& longest =
        **std::max_element(jobs.begin(), jobs.end(),
                           [&](const JobPtr& a, const JobPtr& b) { return bytes(*a) < bytes(*b); });
    backlog -= bytes(longest);
    Skip(longest, longest.written + Available(longest));
  }
}

void Spool::NoteOutcome(const absl::Status& status) {
  bool was_well = false;
  {
    MutexLock lock(&mutex_);
    was_well = failure_.empty();
    failure_ = std::string(status.message());
  }
  if (was_well && !status.ok()) {
    Tell(EventKind::kSpoolFailed, nullptr, 0, std::string(status.message()));
  } else if (!was_well && status.ok()) {
    Tell(EventKind::kSpoolRecovered, nullptr, 0, "the spool writes again");
  }
}

void Spool::Tell(EventKind kind, const Job* job, int64_t frames, const std::string& text) {
  LogEntry entry;
  entry.kind = kind;
  entry.frames = frames;
  entry.text = text;
  if (job != nullptr) {
    entry.session_id = job->source.session_id;
    entry.session_label = job->source.session_label;
    entry.action_id = job->recording.report().action_id();
  }
  MutexLock lock(&mutex_);
  if (news_.size() < kMaxNews) news_.push_back(std::move(entry));
}

}  // namespace rtmixd
