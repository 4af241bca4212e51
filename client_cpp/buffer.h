#ifndef RTMIXD_CLIENT_CPP_BUFFER_H_
#define RTMIXD_CLIENT_CPP_BUFFER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "client_cpp/audio.h"
#include "client_cpp/session.h"
#include "rtmixd/v1/buffer.pb.h"

namespace rtmixd::client {

// How a buffer is to be made.
struct BufferOptions {
  // 1 to 1024.
  int channels = 1;
  // Frames per second; 0 if unknown.
  double sample_rate_hz = 0;
  // For people, at most 200 bytes.
  std::string label = {};
  // It stays when the session ends, and when this object is destroyed.
  bool keep = false;
  // Frames that will come, if known.
  int64_t expected_frames = 0;
};

// Which part of a buffer is wanted.
struct DownloadRange {
  int64_t first_frame = 0;
  // Absent: to the end.
  std::optional<int64_t> frames = {};
  // While the buffer grows, wait for what will come.
  bool follow = false;
};

// Audio on the server. Transfers go on by themselves where a broken connection left them, for as
// long as the server can be reached again within the TTL of the session.
//
// Threading: any thread, but one upload at a time.
class Buffer {
 public:
  // Told of each stretch of audio, in order; an error ends the download with that error.
  using Sink = std::function<absl::Status(int64_t position, absl::Span<const float> interleaved)>;
  // Told how far a transfer is; returns false to end it with CANCELLED.
  using Progress = std::function<bool(int64_t frames)>;

  // Makes an empty buffer.
  static absl::StatusOr<std::unique_ptr<Buffer>> Create(std::shared_ptr<Session> session,
                                                        const BufferOptions& options);
  // A buffer that is there already; the destructor leaves it alone. NOT_FOUND.
  static absl::StatusOr<std::unique_ptr<Buffer>> Open(std::shared_ptr<Session> session,
                                                      const std::string& buffer_id);
  // Makes a buffer of `audio`, ready to be played.
  static absl::StatusOr<std::unique_ptr<Buffer>> Upload(std::shared_ptr<Session> session,
                                                        const Audio& audio, BufferOptions options,
                                                        const Progress& progress = nullptr);

  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  // Deletes the buffer if it was made here and not to be kept; what plays it plays on.
  ~Buffer();

  const std::string& id() const { return buffer_id_; }
  int channels() const { return channels_; }

  // As it is now.
  absl::StatusOr<v1::AudioBuffer> Info() const;
  // Appends frames; with `complete` nothing can be appended any more, and it can be played.
  absl::Status Append(absl::Span<const float> interleaved, bool complete,
                      const Progress& progress = nullptr);
  // Fetches audio.
  absl::Status Download(const DownloadRange& range, const Sink& sink,
                        const Progress& progress = nullptr) const;
  // Leaves it to the session, which frees it when it ends.
  void Release() { owned_ = false; }
  // Deletes it now.
  absl::Status Delete();

 private:
  Buffer(std::shared_ptr<Session> session, const v1::AudioBuffer& info, bool owned);

  const std::shared_ptr<Session> session_;
  const std::string buffer_id_;
  const int channels_;
  bool owned_;
};

}  // namespace rtmixd::client

#endif  // RTMIXD_CLIENT_CPP_BUFFER_H_
