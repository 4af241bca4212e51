#include "server/control/buffer_store.h"

#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {
namespace {

constexpr int kMaxChannels = 1024;
constexpr size_t kMaxLabelBytes = 200;
constexpr int64_t kMaxFrames = (int64_t{1} << 53) - 1;

absl::Status CheckSpec(const BufferSpec& spec) {
  if (spec.channels < 1 || spec.channels > kMaxChannels) {
    return BadField("channels", absl::StrCat(spec.channels), absl::StrCat("1 to ", kMaxChannels));
  }
  if (!std::isfinite(spec.sample_rate_hz) || spec.sample_rate_hz < 0) {
    return BadField("sample_rate_hz", absl::StrCat(spec.sample_rate_hz), "finite and at least 0");
  }
  if (spec.label.size() > kMaxLabelBytes) {
    return BadField("label", absl::StrCat(spec.label.size(), " bytes long"),
                    absl::StrCat("at most ", kMaxLabelBytes, " bytes"));
  }
  if (spec.expected_frames < 0 || spec.expected_frames > kMaxFrames) {
    return BadField("expected_frames", absl::StrCat(spec.expected_frames), "0 to 2^53 - 1");
  }
  return absl::OkStatus();
}

absl::Status NoSession(const std::string& session_id) {
  return MakeError(absl::StatusCode::kUnauthenticated,
                   {.reason = ErrorReason::kSessionExpired, .value = session_id},
                   absl::StrCat("session ", session_id, " has ended"));
}

}  // namespace

BufferStore::BufferStore(const Limits& limits, InstanceIds ids)
    : limits_(limits),
      ids_(std::move(ids)),
      total_budget_(std::make_shared<ByteBudget>("max_buffer_bytes", limits.max_buffer_bytes)) {}

void BufferStore::AddSession(const std::string& session_id) {
  MutexLock lock(&mutex_);
  sessions_[session_id].budget = std::make_shared<ByteBudget>(
      "max_buffer_bytes_per_session", limits_.max_buffer_bytes_per_session, total_budget_);
}

void BufferStore::EndSession(const std::string& session_id) {
  // What is deleted frees its memory after the lock was given back.
  std::vector<std::shared_ptr<StoredBuffer>> deleted;
  MutexLock lock(&mutex_);
  if (sessions_.erase(session_id) == 0) return;
  for (auto next = buffers_.begin(); next != buffers_.end();) {
    const auto current = next++;
    StoredBuffer& buffer = *current->second;
    if (buffer.Owner() != session_id) continue;
    if (buffer.keep()) {
      buffer.MarkOrphaned();
    } else {
      buffer.MarkDeleted();
      deleted.push_back(std::move(current->second));
      buffers_.erase(current);
    }
  }
}

std::shared_ptr<ByteBudget> BufferStore::Budget(const std::string& session_id) const {
  MutexLock lock(&mutex_);
  const auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : found->second.budget;
}

BufferStore::Usage BufferStore::GetUsage(const std::string& session_id) const {
  MutexLock lock(&mutex_);
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return {};
  return {found->second.buffers, found->second.budget->used_bytes()};
}

absl::StatusOr<BufferInfo> BufferStore::Create(const std::string& session_id,
                                               const BufferSpec& spec, absl::Time now) {
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  std::shared_ptr<ByteBudget> budget;
  {
    MutexLock lock(&mutex_);
    const auto found = sessions_.find(session_id);
    if (found == sessions_.end()) return NoSession(session_id);
    Session& session = found->second;
    if (session.buffers >= limits_.max_buffers_per_session) {
      return LimitExceeded("max_buffers_per_session", absl::StrCat(session.buffers + 1),
                           absl::StrCat(limits_.max_buffers_per_session));
    }
    ++session.buffers;
    budget = session.budget;
  }
  auto storage = AudioStorage::Create(spec.channels, spec.expected_frames, std::move(budget));
  MutexLock lock(&mutex_);
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return NoSession(session_id);
  if (!storage.ok()) {
    --found->second.buffers;
    return storage.status();
  }
  const int64_t number = ++last_number_;
  auto buffer = std::make_shared<StoredBuffer>(ids_.Make('b', number), session_id, spec, now,
                                               *std::move(storage), limits_.max_chunk_bytes);
  BufferInfo info = buffer->Info();
  buffers_.emplace(number, std::move(buffer));
  return info;
}

absl::StatusOr<std::shared_ptr<StoredBuffer>> BufferStore::Find(
    const std::string& session_id, const std::string& buffer_id) const {
  const std::optional<int64_t> number = ids_.NumberOf('b', buffer_id);
  const auto found = number.has_value() ? buffers_.find(*number) : buffers_.end();
  if (found == buffers_.end()) return ids_.NotFound("buffer_id", buffer_id, "buffer");
  const std::string owner = found->second->Owner();
  if (!owner.empty() && owner != session_id) {
    return MakeError(absl::StatusCode::kPermissionDenied, {.reason = ErrorReason::kForeignSession,
                                                           .field = "buffer_id",
                                                           .value = buffer_id,
                                                           .limit = "a buffer of this session"});
  }
  return found->second;
}

absl::StatusOr<BufferInfo> BufferStore::Get(const std::string& session_id,
                                            const std::string& buffer_id) const {
  MutexLock lock(&mutex_);
  const auto buffer = Find(session_id, buffer_id);
  if (!buffer.ok()) return buffer.status();
  return (*buffer)->Info();
}

std::vector<BufferInfo> BufferStore::List(const std::string& session_id) const {
  std::vector<BufferInfo> infos;
  MutexLock lock(&mutex_);
  for (const auto& [number, buffer] : buffers_) {
    const std::string owner = buffer->Owner();
    if (owner.empty() || owner == session_id) infos.push_back(buffer->Info());
  }
  return infos;
}

absl::Status BufferStore::Delete(const std::string& session_id, const std::string& buffer_id) {
  // Outlives the lock: its memory may be large.
  absl::StatusOr<std::shared_ptr<StoredBuffer>> buffer = nullptr;
  MutexLock lock(&mutex_);
  buffer = Find(session_id, buffer_id);
  if (!buffer.ok()) return buffer.status();
  const auto owner = sessions_.find((*buffer)->Owner());
  if (owner != sessions_.end()) --owner->second.buffers;
  (*buffer)->MarkDeleted();
  buffers_.erase(*ids_.NumberOf('b', buffer_id));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BufferWriter>> BufferStore::OpenUpload(
    const std::string& session_id, const std::string& buffer_id) {
  MutexLock lock(&mutex_);
  const auto buffer = Find(session_id, buffer_id);
  if (!buffer.ok()) return buffer.status();
  return (*buffer)->OpenUpload();
}

absl::StatusOr<std::unique_ptr<BufferReader>> BufferStore::OpenDownload(
    const std::string& session_id, const std::string& buffer_id, ChangeCallback on_change) {
  MutexLock lock(&mutex_);
  const auto buffer = Find(session_id, buffer_id);
  if (!buffer.ok()) return buffer.status();
  if (!(*buffer)->HasReaders()) followed_.push_back(*buffer);
  return (*buffer)->OpenReader(std::move(on_change));
}

absl::StatusOr<std::unique_ptr<BufferRecorder>> BufferStore::OpenRecorder(
    const std::string& session_id, const std::string& buffer_id, const std::string& action_id,
    int channels) {
  MutexLock lock(&mutex_);
  const auto buffer = Find(session_id, buffer_id);
  if (!buffer.ok()) return buffer.status();
  if ((*buffer)->channels() != channels) {
    return BadField("buffer_id",
                    absl::StrCat(buffer_id, " of ", (*buffer)->channels(), " channels"),
                    absl::StrCat("a buffer of ", channels, " channels, as are recorded"));
  }
  return (*buffer)->OpenRecorder(action_id);
}

absl::StatusOr<BufferStore::Playable> BufferStore::GetPlayable(const std::string& session_id,
                                                               const std::string& buffer_id) const {
  MutexLock lock(&mutex_);
  const auto buffer = Find(session_id, buffer_id);
  if (!buffer.ok()) return buffer.status();
  auto audio = (*buffer)->CompleteAudio();
  if (!audio.ok()) return audio.status();
  return Playable{*std::move(audio), (*buffer)->Info().sample_rate_hz};
}

void BufferStore::NotifyReaders() {
  std::vector<std::shared_ptr<StoredBuffer>> followed;
  {
    MutexLock lock(&mutex_);
    std::erase_if(followed_, [&](const std::weak_ptr<StoredBuffer>& weak) {
      std::shared_ptr<StoredBuffer> buffer = weak.lock();
      if (buffer == nullptr || !buffer->HasReaders()) return true;
      followed.push_back(std::move(buffer));
      return false;
    });
  }
  for (const std::shared_ptr<StoredBuffer>& buffer : followed) buffer->NotifyIfChanged();
}

}  // namespace rtmixd
