#ifndef RTMIXD_SERVER_CONTROL_RECORD_STREAM_IMPL_H_
#define RTMIXD_SERVER_CONTROL_RECORD_STREAM_IMPL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/control/action.h"
#include "server/control/audio_stream.h"
#include "server/control/change_signal.h"
#include "server/control/engine_impl.h"
#include "server/control/live_stream.h"
#include "server/control/recording.h"

namespace rtmixd {

// A call's hold on a record stream: reads the history when the client may have more, without the
// engine's lock.
//
// Threading: as RecordStream. Destroyed before the engine.
class RecordStreamImpl : public RecordStream {
 public:
  struct Options {
    SampleFormat format = SampleFormat::kFloat32;
    int chunk_frames = 0;
    int64_t granted_position = 0;
  };
  RecordStreamImpl(EngineImpl* engine, std::shared_ptr<Action> action, const Options& options,
                   std::unique_ptr<ChangeSignal::Subscription> subscription,
                   std::shared_ptr<void> slot);
  ~RecordStreamImpl() override;

  const std::string& action_id() const override { return action_id_; }
  const std::string& stream_id() const override { return stream_id_; }
  int channels() const override { return recording_->channels(); }
  double sample_rate_hz() const override { return recording_->sample_rate_hz(); }
  int64_t next_position() const override;
  absl::Status Grant(int64_t granted_position) override;
  absl::Status Stop(std::optional<int64_t> frame) override;
  Item Read() override;
  RecordStreamProgress Progress() const override;

 private:
  EngineImpl* const engine_;
  const std::shared_ptr<Action> action_;
  const std::shared_ptr<LiveStream> stream_;
  const std::shared_ptr<Recording> recording_;
  const std::shared_ptr<StreamCall> call_;
  const std::string action_id_;
  const std::string stream_id_;
  const Options options_;
  const std::shared_ptr<void> slot_;  // of those that are limited
  std::unique_ptr<ChangeSignal::Subscription> subscription_;

  std::atomic<int64_t> granted_position_;
  // The reader's.
  std::vector<float> planar_;
  int64_t waiting_since_nanos_ = 0;  // for a chunk to be whole; 0: nothing waits
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_RECORD_STREAM_IMPL_H_
