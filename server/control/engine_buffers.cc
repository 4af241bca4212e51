// Buffers: what BufferStore does, for sessions that may.

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"
#include "server/control/engine_impl.h"

namespace rtmixd {

absl::StatusOr<BufferInfo> EngineImpl::CreateBuffer(const std::string& session_id,
                                                    const BufferSpec& spec) {
  const std::string fingerprint =
      absl::StrCat(spec.channels, ",", spec.sample_rate_hz, ",", spec.keep, ",",
                   spec.expected_frames, ",", spec.label);
  {
    Lock lock(this);
    if (absl::Status status = CheckMayWork(session_id); !status.ok()) return status;
    auto begun =
        buffer_requests_.Begin(session_id, spec.request_id, fingerprint, Now().monotonic, nullptr);
    if (!begun.ok()) return begun.status();
    if (begun->answer.has_value()) return *begun->answer;
    if (begun->kind == RequestCache<BufferInfo>::Kind::kWaiting) {
      return MakeError(absl::StatusCode::kAborted,
                       {.reason = ErrorReason::kWrongState,
                        .field = "request_id",
                        .value = spec.request_id,
                        .limit = "sent again when the first request was answered"});
    }
  }
  // Not under the lock: it allocates.
  absl::StatusOr<BufferInfo> info = buffers_.Create(session_id, spec, options_.wall_time());
  Lock lock(this);
  for (auto& callback :
       buffer_requests_.Finish(session_id, spec.request_id, info, Now().monotonic)) {
    if (callback) Defer([callback = std::move(callback), info] { callback(info); });
  }
  return info;
}

absl::StatusOr<BufferInfo> EngineImpl::GetBuffer(const std::string& session_id,
                                                 const std::string& buffer_id) {
  return buffers_.Get(session_id, buffer_id);
}

absl::StatusOr<std::vector<BufferInfo>> EngineImpl::ListBuffers(const std::string& session_id) {
  {
    Lock lock(this);
    if (absl::Status status = CheckSession(session_id); !status.ok()) return status;
  }
  return buffers_.List(session_id);
}

absl::Status EngineImpl::DeleteBuffer(const std::string& session_id, const std::string& buffer_id) {
  return buffers_.Delete(session_id, buffer_id);
}

absl::StatusOr<std::unique_ptr<BufferWriter>> EngineImpl::OpenUpload(const std::string& session_id,
                                                                     const std::string& buffer_id) {
  {
    Lock lock(this);
    if (absl::Status status = CheckMayWork(session_id); !status.ok()) return status;
  }
  return buffers_.OpenUpload(session_id, buffer_id);
}

absl::StatusOr<std::unique_ptr<BufferReader>> EngineImpl::OpenDownload(
    const std::string& session_id, const std::string& buffer_id, ChangeCallback on_change) {
  return buffers_.OpenDownload(session_id, buffer_id, std::move(on_change));
}

}  // namespace rtmixd
