#include "server/spool/spool_index.h"

#include <fcntl.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/error_info.h"
#include "server/base/replace_file.h"
#include "server/spool/spool_file.h"

namespace rtmixd {
namespace {

constexpr char kAudioEnding[] = ".wav";
constexpr char kReportEnding[] = ".json";

bool IsRecorded(const v1::SpooledRecording& recording) {
  return recording.state() == v1::SPOOLED_RECORDING_STATE_RECORDING;
}

bool Older(const v1::SpooledRecording& a, const v1::SpooledRecording& b) {
  if (a.create_time() < b.create_time()) return true;
  if (b.create_time() < a.create_time()) return false;
  return a.recording_id() < b.recording_id();
}

}  // namespace

int64_t BytesOf(const v1::SpooledRecording& recording) {
  return recording.frames() * recording.channels() * int64_t{sizeof(float)};
}

absl::StatusOr<std::unique_ptr<SpoolIndex>> SpoolIndex::Open(const std::string& folder) {
  if (mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make ", folder));
  }
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", folder));
  std::unique_ptr<SpoolIndex> index(new SpoolIndex(folder, fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("another server spools to ", folder));
  }
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write to ", folder));
  }
  index->Load();
  return index;
}

SpoolIndex::~SpoolIndex() { close(folder_fd_); }

std::string SpoolIndex::NewId() {
  std::random_device random;
  std::string id = "r-";
  for (int i = 0; i < 3; ++i) absl::StrAppendFormat(&id, "%08x", random());
  return id;
}

std::string SpoolIndex::AudioPath(const std::string& recording_id) const {
  return absl::StrCat(folder_, "/", recording_id, kAudioEnding);
}

void SpoolIndex::Load() {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // that a newer server wrote
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    if (entry.path().extension() != kReportEnding) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text(std::istreambuf_iterator<char>(file), {});
    v1::SpooledRecording recording;
    // What is not a recording of ours is left alone.
    if (!google::protobuf::util::JsonStringToMessage(text, &recording, options).ok()) continue;
    if (recording.recording_id() != entry.path().stem()) continue;
    if (IsRecorded(recording)) {
      recording.set_state(v1::SPOOLED_RECORDING_STATE_INTERRUPTED);
      recording.set_frames(FramesInFile(AudioPath(recording.recording_id())));
      // What the device lost was not known yet.
      if (recording.report().touched() == v1::TOUCHED_NO) {
        recording.mutable_report()->set_touched(v1::TOUCHED_CANNOT_TELL);
      }
      // If this fails, it is found out again by the next server.
      Save(recording).IgnoreError();
    }
    Put(recording);
  }
}

void SpoolIndex::Put(const v1::SpooledRecording& recording) {
  MutexLock lock(&mutex_);
  recordings_[recording.recording_id()] = recording;
}

absl::Status SpoolIndex::Save(const v1::SpooledRecording& recording) const {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(recording, &text, options).ok()) {
    return absl::InternalError("the report of a recording cannot be written as JSON");
  }
  return ReplaceFile(absl::StrCat(folder_, "/", recording.recording_id(), kReportEnding), text);
}

void SpoolIndex::SyncFolder() const { fsync(folder_fd_); }

absl::StatusOr<v1::SpooledRecording> SpoolIndex::Get(const std::string& recording_id) const {
  MutexLock lock(&mutex_);
  const auto found = recordings_.find(recording_id);
  if (found == recordings_.end()) return NotFound("recording_id", recording_id, "recording");
  return found->second;
}

std::vector<v1::SpooledRecording> SpoolIndex::List() const {
  std::vector<v1::SpooledRecording> list;
  {
    MutexLock lock(&mutex_);
    for (const auto& [id, recording] : recordings_) list.push_back(recording);
  }
  std::sort(list.begin(), list.end(), Older);
  return list;
}

absl::Status SpoolIndex::Delete(const std::string& recording_id) {
  {
    MutexLock lock(&mutex_);
    const auto found = recordings_.find(recording_id);
    if (found == recordings_.end()) return NotFound("recording_id", recording_id, "recording");
    if (IsRecorded(found->second)) {
      return MakeError(absl::StatusCode::kFailedPrecondition, {.reason = ErrorReason::kWrongState,
                                                               .field = "recording_id",
                                                               .value = recording_id,
                                                               .limit = "one that has ended"});
    }
    recordings_.erase(found);
  }
  RemoveFiles(recording_id);
  return absl::OkStatus();
}

void SpoolIndex::RemoveFiles(const std::string& recording_id) const {
  // The report last: audio without one would never be found again.
  unlink(AudioPath(recording_id).c_str());
  unlink(absl::StrCat(folder_, "/", recording_id, kReportEnding).c_str());
}

void SpoolIndex::Prune(int64_t max_bytes, absl::Duration max_age, absl::Time now) {
  const std::vector<v1::SpooledRecording> list = List();
  int64_t bytes = 0;
  for (const v1::SpooledRecording& recording : list) bytes += BytesOf(recording);
  for (const v1::SpooledRecording& recording : list) {
    if (IsRecorded(recording)) continue;
    const absl::Time created = absl::FromUnixNanos(
        google::protobuf::util::TimeUtil::TimestampToNanoseconds(recording.create_time()));
    if (bytes <= max_bytes && now - created <= max_age) continue;
    bytes -= BytesOf(recording);
    // Somebody else may have deleted it.
    Delete(recording.recording_id()).IgnoreError();
  }
}

int64_t SpoolIndex::size() const {
  MutexLock lock(&mutex_);
  return static_cast<int64_t>(recordings_.size());
}

int64_t SpoolIndex::used_bytes() const {
  MutexLock lock(&mutex_);
  int64_t bytes = 0;
  for (const auto& [id, recording] : recordings_) bytes += BytesOf(recording);
  return bytes;
}

int64_t SpoolIndex::free_bytes() const {
  struct statvfs fs = {};
  if (fstatvfs(folder_fd_, &fs) != 0) return 0;
  return static_cast<int64_t>(fs.f_bavail) * static_cast<int64_t>(fs.f_frsize);
}

}  // namespace rtmixd
